"""Values of PostgreSQL's types as text (docs/format.md, "Values of types")."""

import struct
import uuid

DAY = 86400 * 1000000


def integer(data):
    return int.from_bytes(data, "little", signed=True)


def format_integer(data):
    return str(integer(data))


def format_unsigned(data):
    return str(int.from_bytes(data, "little"))


def format_bool(data):
    return "t" if data != b"\0" else "f"


def _float_text(digits, exponent, threshold):
    """Digits d.ddd x 10^exponent as PostgreSQL writes them."""
    if exponent < -4 or exponent >= threshold:
        text = digits[0] + ("." + digits[1:] if len(digits) > 1 else "")
        return "%se%s%02d" % (text, "-" if exponent < 0 else "+", abs(exponent))
    if exponent < 0:
        return "0." + "0" * (-exponent - 1) + digits
    if len(digits) <= exponent + 1:
        return digits + "0" * (exponent + 1 - len(digits))
    return digits[:exponent + 1] + "." + digits[exponent + 1:]


def _format_float(value, fmt, precisions, threshold):
    """The shortest text that gives the value again."""
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    sign = "-" if struct.pack(">d", value)[0] & 0x80 else ""
    if value == 0:
        return sign + "0"
    for precision in precisions:
        text = "%.*e" % (precision - 1, abs(value))
        try:
            if struct.pack(fmt, float(text)) == struct.pack(fmt, abs(value)):
                break
        except OverflowError:
            continue
    mantissa, exponent = text.split("e")
    digits = mantissa.replace(".", "").rstrip("0") or "0"
    return sign + _float_text(digits, int(exponent), threshold)


def format_float4(data):
    return _format_float(struct.unpack("<f", data)[0], "<f", range(1, 10), 6)


def format_float8(data):
    return _format_float(struct.unpack("<d", data)[0], "<d", range(1, 18), 15)


def _date(days):
    """Year, month, day of the proleptic Gregorian calendar; days since 2000-01-01."""
    era, day = divmod(days + 730425, 146097)    # days since 0000-03-01
    year_of_era = (day - day // 1460 + day // 36524 - day // 146096) // 365
    day_of_year = day - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * day_of_year + 2) // 153
    month = shifted + 3 if shifted < 10 else shifted - 9
    year = year_of_era + era * 400 + (1 if month <= 2 else 0)
    return year, month, day_of_year - (153 * shifted + 2) // 5 + 1


def _date_text(days):
    """The date, and what comes after it before Christ."""
    year, month, day = _date(days)
    if year > 0:
        return "%04d-%02d-%02d" % (year, month, day), ""
    return "%04d-%02d-%02d" % (1 - year, month, day), " BC"


def _infinity(value, width):
    if value == (1 << 8 * width - 1) - 1:
        return "infinity"
    if value == -(1 << 8 * width - 1):
        return "-infinity"
    return None


def format_date(data):
    days = integer(data)
    return _infinity(days, 4) or "".join(_date_text(days))


def _time_text(micros):
    seconds, fraction = divmod(micros, 1000000)
    text = "%02d:%02d:%02d" % (seconds // 3600, seconds // 60 % 60, seconds % 60)
    if fraction:
        text += ".%06d" % fraction
        text = text.rstrip("0")
    return text


def format_time(data):
    return _time_text(integer(data))


def format_timestamp(data):
    micros = integer(data)
    if _infinity(micros, 8):
        return _infinity(micros, 8)
    days, time = divmod(micros, DAY)
    date, era = _date_text(days)
    return "%s %s%s" % (date, _time_text(time), era)


def format_timestamptz(data):
    """With TimeZone = UTC."""
    micros = integer(data)
    if _infinity(micros, 8):
        return _infinity(micros, 8)
    days, time = divmod(micros, DAY)
    date, era = _date_text(days)
    return "%s %s+00%s" % (date, _time_text(time), era)


def format_uuid(data):
    return str(uuid.UUID(bytes=data))


def format_bytea(data):
    return "\\x" + data.hex()


def format_text(data):
    return data.decode("utf-8")


def format_name(data):
    return data.rstrip(b"\0").decode("utf-8")


def format_numeric(data):
    (head,) = struct.unpack_from("<H", data)
    kind = head & 0xC000
    if kind == 0xC000:
        return {0xC000: "NaN", 0xD000: "Infinity", 0xF000: "-Infinity"}[head & 0xF000]
    if kind == 0x8000:
        negative = head & 0x2000
        scale = (head & 0x1F80) >> 7
        weight = (head & 0x3F) - (64 if head & 0x40 else 0)
        digits = data[2:]
    else:
        negative = kind == 0x4000
        scale = head & 0x3FFF
        (weight,) = struct.unpack_from("<h", data, 2)
        digits = data[4:]
    numbers = struct.unpack("<%dH" % (len(digits) // 2), digits)

    def digit(position):
        """The digit for 10000^position."""
        index = weight - position
        return numbers[index] if 0 <= index < len(numbers) else 0

    whole = "".join("%04d" % digit(p) for p in range(max(weight, 0), -1, -1))
    text = whole.lstrip("0") or "0"
    if scale > 0:
        places = "".join("%04d" % digit(-p) for p in range(1, (scale + 3) // 4 + 1))
        text += "." + places[:scale]
    return "-" + text if negative else text


FORMATS = {
    "int2": format_integer, "int4": format_integer, "int8": format_integer,
    "oid": format_unsigned, "bool": format_bool,
    "float4": format_float4, "float8": format_float8,
    "date": format_date, "time": format_time,
    "timestamp": format_timestamp, "timestamptz": format_timestamptz,
    "uuid": format_uuid, "bytea": format_bytea, "numeric": format_numeric,
    "text": format_text, "varchar": format_text, "bpchar": format_text, "json": format_text,
    "name": format_name, "hex": format_bytea,
}


def copy_text(value, type_name):
    """A value as COPY writes it in text format."""
    if value is None:
        return "\\N"
    text = FORMATS[type_name](value)
    for char, escape in (("\\", "\\\\"), ("\b", "\\b"), ("\f", "\\f"), ("\n", "\\n"),
                         ("\r", "\\r"), ("\t", "\\t"), ("\v", "\\v")):
        text = text.replace(char, escape)
    return text
