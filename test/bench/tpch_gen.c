/*
 * tpch_gen.c
 *	  Writes one table of data like TPC-H's to standard output, in COPY's text
 *	  format.
 *
 *		tpch_gen SCALE TABLE
 *
 * Written from the public specification: its numbers of rows, keys and their
 * relations, ranges and distributions of values, and dependencies of dates, so
 * that the 22 queries select about what they select from dbgen's data.  Texts
 * come from a small grammar of our own; the words that queries look for occur
 * in them.  Figures are therefore not TPC results and not comparable to such.
 *
 * Every row has a generator of random numbers seeded by table and row, so that
 * the output depends on SCALE only, and orders and lines agree although they
 * are written by different runs.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LENGTH(array) ((int) (sizeof(array) / sizeof((array)[0])))

/* days since 1992-01-01 */
#define LAST_ORDER_DAY	2405	/* 1998-12-31 less 151 days */
#define CURRENT_DAY		1263	/* 1995-06-17 */
#define DAYS			2557

#define MAX_LINES		7

static int64_t supplierCount;
static int64_t partCount;
static int64_t customerCount;
static int64_t orderCount;
static int64_t clerkCount;

/* ---------------------------------------------------------------- words */

static const char *const regions[] = {"AFRICA", "AMERICA", "ASIA", "EUROPE", "MIDDLE EAST"};

static const struct
{
	const char *name;
	int			region;
}			nations[] =
{
	{"ALGERIA", 0}, {"ARGENTINA", 1}, {"BRAZIL", 1}, {"CANADA", 1}, {"EGYPT", 4},
	{"ETHIOPIA", 0}, {"FRANCE", 3}, {"GERMANY", 3}, {"INDIA", 2}, {"INDONESIA", 2},
	{"IRAN", 4}, {"IRAQ", 4}, {"JAPAN", 2}, {"JORDAN", 4}, {"KENYA", 0},
	{"MOROCCO", 0}, {"MOZAMBIQUE", 0}, {"PERU", 1}, {"CHINA", 2}, {"ROMANIA", 3},
	{"SAUDI ARABIA", 4}, {"VIETNAM", 2}, {"RUSSIA", 3}, {"UNITED KINGDOM", 3},
	{"UNITED STATES", 1}
};

static const char *const segments[] = {
	"AUTOMOBILE", "BUILDING", "FURNITURE", "MACHINERY", "HOUSEHOLD"
};
static const char *const priorities[] = {
	"1-URGENT", "2-HIGH", "3-MEDIUM", "4-NOT SPECIFIED", "5-LOW"
};
static const char *const instructions[] = {
	"DELIVER IN PERSON", "COLLECT COD", "NONE", "TAKE BACK RETURN"
};
static const char *const modes[] = {
	"REG AIR", "AIR", "RAIL", "SHIP", "TRUCK", "MAIL", "FOB"
};
static const char *const typeSizes[] = {
	"STANDARD", "SMALL", "MEDIUM", "LARGE", "ECONOMY", "PROMO"
};
static const char *const typeFinishes[] = {
	"ANODIZED", "BURNISHED", "PLATED", "POLISHED", "BRUSHED"
};
static const char *const typeMetals[] = {"TIN", "NICKEL", "BRASS", "STEEL", "COPPER"};
static const char *const containerSizes[] = {"SM", "LG", "MED", "JUMBO", "WRAP"};
static const char *const containerKinds[] = {
	"CASE", "BOX", "BAG", "JAR", "PKG", "PACK", "CAN", "DRUM"
};

static const char *const colours[] = {
	"amber", "apricot", "ash", "auburn", "azure", "bamboo", "beige", "birch",
	"black", "blue", "bone", "brick", "bronze", "brown", "butter", "cherry",
	"caramel", "carmine", "cedar", "charcoal", "chestnut", "cinnamon", "clay", "cobalt",
	"copper", "coral", "cream", "crimson", "cyan", "denim", "ebony", "emerald",
	"fawn", "fern", "flame", "flax", "forest", "fuchsia", "garnet", "ginger",
	"gold", "granite", "grape", "green", "grey", "hazel", "heather", "honey",
	"indigo", "ivory", "jade", "jet", "juniper", "khaki", "lavender", "lead",
	"lemon", "lilac", "lime", "linen", "magenta", "mahogany", "maple", "maroon",
	"mauve", "melon", "mint", "moss", "mustard", "navy", "oak", "ochre",
	"olive", "opal", "orange", "orchid", "peach", "pearl", "pine", "pink",
	"plum", "purple", "quartz", "red", "rose", "ruby", "saffron", "sand",
	"scarlet", "silver", "teal", "white"
};

static const char *const nouns[] = {
	"requests", "shipments", "invoices", "parcels", "crates", "letters", "ledgers", "orders",
	"clients", "drivers", "agents", "pallets", "tariffs", "harbours", "trucks", "contracts",
	"samples", "notes", "prices", "returns", "partners", "suppliers", "warehouses", "receipts",
	"schedules", "promises", "forecasts", "markets", "barrels", "engines", "vessels", "offers",
	"complaints", "stamps", "seals", "permits", "couriers", "bundles", "licences", "reports",
	"payments", "credits", "deadlines", "platforms", "theories"
};
static const char *const verbs[] = {
	"arrive", "wait", "depart", "settle", "move", "rest", "turn", "agree",
	"vanish", "grow", "shrink", "return", "sleep", "cross", "follow", "gather",
	"hold", "linger", "pass", "remain", "rise", "drift", "travel", "stop",
	"begin", "end", "hurry", "stay", "balance", "change", "circle", "doze",
	"fall", "hide", "lean", "march", "nod", "pause", "sail", "work"
};
static const char *const adjectives[] = {
	"special", "late", "early", "quiet", "heavy", "light", "regular", "narrow",
	"broad", "silent", "sealed", "open", "final", "pending", "usual", "odd",
	"even", "fragile", "sturdy", "costly", "cheap", "urgent", "patient", "ordinary",
	"foreign", "local", "fresh", "stale"
};
static const char *const adverbs[] = {
	"slowly", "quickly", "never", "often", "seldom", "always", "gladly", "calmly",
	"hardly", "nearly", "fully", "firmly", "softly", "loudly", "evenly", "boldly",
	"rarely", "soon", "twice", "once", "again", "barely", "neatly", "openly",
	"safely", "surely", "warmly", "daily"
};
static const char *const prepositions[] = {
	"about", "above", "across", "after", "against", "along", "among", "around",
	"at", "before", "behind", "below", "beneath", "beside", "between", "beyond",
	"by", "despite", "during", "for", "from", "inside", "into", "near",
	"of", "off", "on", "outside", "over", "past", "through", "to",
	"toward", "under", "until", "upon", "with", "within", "without"
};
static const char *const auxiliaries[] = {
	"may", "might", "can", "could", "will", "would", "shall", "should",
	"must", "need to", "ought to", "try to", "have to", "used to", "dare to"
};
static const char *const ends[] = {".", ".", ".", ",", ";", ":", "!", "?", " -"};

/* ---------------------------------------------------------------- output */

static char outputBuffer[1 << 16];
static size_t outputUsed = 0;

static void
Flush(void)
{
	if (fwrite(outputBuffer, 1, outputUsed, stdout) != outputUsed)
	{
		perror("tpch_gen");
		exit(1);
	}
	outputUsed = 0;
}

static void
PutBytes(const char *bytes, size_t length)
{
	if (outputUsed + length > sizeof(outputBuffer))
		Flush();
	memcpy(outputBuffer + outputUsed, bytes, length);
	outputUsed += length;
}

static void
PutChar(char c)
{
	PutBytes(&c, 1);
}

/* The end of a column; of a row if it is the last one. */
static void
EndColumn(bool last)
{
	PutChar(last ? '\n' : '\t');
}

static void
PutText(const char *text)
{
	PutBytes(text, strlen(text));
	EndColumn(false);
}

/* A number with at least so many digits. */
static void
PutDigits(int64_t value, int width)
{
	char		digits[24];
	int			at = sizeof(digits);

	while (value > 0 || width > 0)
	{
		digits[--at] = (char) ('0' + value % 10);
		value /= 10;
		width--;
	}
	PutBytes(digits + at, sizeof(digits) - at);
}

static void
PutInteger(int64_t value)
{
	PutDigits(value, 1);
	EndColumn(false);
}

/* A decimal number of hundredths. */
static void
PutCents(int64_t cents)
{
	if (cents < 0)
	{
		PutChar('-');
		cents = -cents;
	}
	PutDigits(cents / 100, 1);
	PutChar('.');
	PutDigits(cents % 100, 2);
	EndColumn(false);
}

/* "Supplier#000000017" */
static void
PutNumbered(const char *what, int64_t number)
{
	PutBytes(what, strlen(what));
	PutChar('#');
	PutDigits(number, 9);
	EndColumn(false);
}

static char dates[DAYS][16];

static void
PutDate(int day)
{
	PutBytes(dates[day], strlen("1992-01-01"));
	EndColumn(false);
}

static void
MakeDates(void)
{
	static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int			year = 1992,
				month = 1,
				dayOfMonth = 1;

	for (int day = 0; day < DAYS; day++)
	{
		int			length = lengths[month - 1] + (month == 2 && year % 4 == 0);

		snprintf(dates[day], sizeof(dates[day]), "%04d-%02d-%02d",
				 year % 10000, month % 100, dayOfMonth % 100);
		if (++dayOfMonth > length)
		{
			dayOfMonth = 1;
			if (++month > 12)
			{
				month = 1;
				year++;
			}
		}
	}
}

/* ---------------------------------------------------------------- chance */

typedef struct
{
	uint64_t	state;
} Chance;

/* splitmix64 */
static uint64_t
Next(Chance *chance)
{
	uint64_t	z = (chance->state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* What a row is made from: the same for the same table and row, always. */
static Chance
ChanceOf(char table, int64_t row)
{
	Chance		chance = {(uint64_t) row * 256 + (unsigned char) table};

	chance.state = Next(&chance);
	return chance;
}

/* A number from low to high, both included. */
static int64_t
Between(Chance *chance, int64_t low, int64_t high)
{
	return low + (int64_t) (Next(chance) % (uint64_t) (high - low + 1));
}

#define PICK(chance, array) ((array)[Between(chance, 0, LENGTH(array) - 1)])

/* ---------------------------------------------------------------- texts */

typedef struct
{
	char		bytes[512];
	int			length;
} Text;

static void
AddWord(Text *text, const char *word)
{
	size_t		length = strlen(word);

	if (text->length > 0)
		text->bytes[text->length++] = ' ';
	memcpy(text->bytes + text->length, word, length);
	text->length += (int) length;
}

static void
AddNounPhrase(Chance *chance, Text *text)
{
	switch (Between(chance, 0, 3))
	{
		case 0:
			break;
		case 1:
			AddWord(text, PICK(chance, adverbs));
			/* fall through */
		default:
			AddWord(text, PICK(chance, adjectives));
	}
	AddWord(text, PICK(chance, nouns));
}

static void
AddSentence(Chance *chance, Text *text)
{
	const char *end = PICK(chance, ends);

	AddNounPhrase(chance, text);
	if (Between(chance, 0, 1))
		AddWord(text, PICK(chance, auxiliaries));
	AddWord(text, PICK(chance, verbs));
	if (Between(chance, 0, 1))
		AddWord(text, PICK(chance, adverbs));
	if (Between(chance, 0, 2))
	{
		AddWord(text, PICK(chance, prepositions));
		AddWord(text, "the");
		AddNounPhrase(chance, text);
	}
	memcpy(text->bytes + text->length, end, strlen(end));
	text->length += (int) strlen(end);
}

/* A text of low to high characters that may begin and end within words. */
static void
MakeText(Chance *chance, Text *text, int low, int high)
{
	int			length = (int) Between(chance, low, high);
	int			start = (int) Between(chance, 0, 40);

	text->length = 0;
	while (text->length < start + length)
		AddSentence(chance, text);
	memmove(text->bytes, text->bytes + start, (size_t) length);
	text->length = length;
}

/* The last column of every table. */
static void
PutComment(Chance *chance, int low, int high)
{
	Text		text;

	MakeText(chance, &text, low, high);
	PutBytes(text.bytes, (size_t) text.length);
	EndColumn(true);
}

/* 10 to 40 characters without a meaning */
static void
PutAddress(Chance *chance)
{
	static const char letters[] =
		"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ, ";
	int			length = (int) Between(chance, 10, 40);

	for (int i = 0; i < length; i++)
		PutChar(letters[Next(chance) % (sizeof(letters) - 1)]);
	EndColumn(false);
}

static void
PutPhone(Chance *chance, int nation)
{
	PutDigits(nation + 10, 2);
	PutChar('-');
	PutDigits(Between(chance, 100, 999), 3);
	PutChar('-');
	PutDigits(Between(chance, 100, 999), 3);
	PutChar('-');
	PutDigits(Between(chance, 1000, 9999), 4);
	EndColumn(false);
}

/* Two or three words in one column; the third may be missing. */
static void
PutWords(const char *first, const char *second, const char *third)
{
	PutBytes(first, strlen(first));
	PutChar(' ');
	PutBytes(second, strlen(second));
	if (third)
	{
		PutChar(' ');
		PutBytes(third, strlen(third));
	}
	EndColumn(false);
}

/* ---------------------------------------------------------------- tables */

static void
WriteRegions(void)
{
	for (int i = 0; i < LENGTH(regions); i++)
	{
		Chance		chance = ChanceOf('r', i);

		PutInteger(i);
		PutText(regions[i]);
		PutComment(&chance, 31, 115);
	}
}

static void
WriteNations(void)
{
	for (int i = 0; i < LENGTH(nations); i++)
	{
		Chance		chance = ChanceOf('n', i);

		PutInteger(i);
		PutText(nations[i].name);
		PutInteger(nations[i].region);
		PutComment(&chance, 31, 114);
	}
}

/*
 * One supplier in a thousand (ten of them per 10,000) has had words with a
 * customer, half of these good ones.
 */
static void
PutSupplierComment(Chance *chance, int64_t key)
{
	Text		text;
	int64_t		tenth = key % 1000;

	MakeText(chance, &text, 25, 100);
	if (tenth == 317)
	{
		bool		good = (key / 1000) % 2 == 1;
		const char *word = good ? "Recommends" : "Complaints";
		int			at = (int) Between(chance, 0, text.length - 25);

		memcpy(text.bytes + at, "Customer", 8);
		memcpy(text.bytes + at + 8 + Between(chance, 0, 7), word, 10);
	}
	PutBytes(text.bytes, (size_t) text.length);
	EndColumn(true);
}

static void
WriteSuppliers(void)
{
	for (int64_t key = 1; key <= supplierCount; key++)
	{
		Chance		chance = ChanceOf('s', key);
		int			nation = (int) Between(&chance, 0, LENGTH(nations) - 1);

		PutInteger(key);
		PutNumbered("Supplier", key);
		PutAddress(&chance);
		PutInteger(nation);
		PutPhone(&chance, nation);
		PutCents(Between(&chance, -99999, 999999));
		PutSupplierComment(&chance, key);
	}
}

static void
WriteCustomers(void)
{
	for (int64_t key = 1; key <= customerCount; key++)
	{
		Chance		chance = ChanceOf('c', key);
		int			nation = (int) Between(&chance, 0, LENGTH(nations) - 1);

		PutInteger(key);
		PutNumbered("Customer", key);
		PutAddress(&chance);
		PutInteger(nation);
		PutPhone(&chance, nation);
		PutCents(Between(&chance, -99999, 999999));
		PutText(PICK(&chance, segments));
		PutComment(&chance, 29, 116);
	}
}

static int64_t
RetailPrice(int64_t part)
{
	return 90000 + (part / 10) % 20001 + 100 * (part % 1000);
}

/* The supplier of a part: which of its four. */
static int64_t
SupplierOf(int64_t part, int64_t which)
{
	return (part + which * (supplierCount / 4 + (part - 1) / supplierCount)) % supplierCount + 1;
}

/* Five different colours. */
static void
PutPartName(Chance *chance)
{
	int			chosen[5];

	for (int i = 0; i < 5; i++)
	{
		bool		again;

		do
		{
			chosen[i] = (int) Between(chance, 0, LENGTH(colours) - 1);
			again = false;
			for (int j = 0; j < i; j++)
				again |= chosen[j] == chosen[i];
		} while (again);
		if (i > 0)
			PutChar(' ');
		PutBytes(colours[chosen[i]], strlen(colours[chosen[i]]));
	}
	EndColumn(false);
}

static void
WriteParts(void)
{
	for (int64_t key = 1; key <= partCount; key++)
	{
		Chance		chance = ChanceOf('p', key);
		int			maker = (int) Between(&chance, 1, 5);
		const char *first,
				   *second,
				   *third;

		PutInteger(key);
		PutPartName(&chance);
		PutBytes("Manufacturer#", 13);
		PutInteger(maker);
		PutBytes("Brand#", 6);
		PutInteger(maker * 10 + Between(&chance, 1, 5));
		first = PICK(&chance, typeSizes);
		second = PICK(&chance, typeFinishes);
		third = PICK(&chance, typeMetals);
		PutWords(first, second, third);
		PutInteger(Between(&chance, 1, 50));
		first = PICK(&chance, containerSizes);
		second = PICK(&chance, containerKinds);
		PutWords(first, second, NULL);
		PutCents(RetailPrice(key));
		PutComment(&chance, 5, 22);
	}
}

static void
WritePartSuppliers(void)
{
	for (int64_t part = 1; part <= partCount; part++)
	{
		for (int which = 0; which < 4; which++)
		{
			Chance		chance = ChanceOf('q', part * 4 + which);

			PutInteger(part);
			PutInteger(SupplierOf(part, which));
			PutInteger(Between(&chance, 1, 9999));
			PutCents(Between(&chance, 100, 100000));
			PutComment(&chance, 49, 198);
		}
	}
}

/* ---------------------------------------------------------------- orders */

typedef struct
{
	int64_t		part;
	int64_t		supplier;
	int			quantity;
	int64_t		price;			/* cents */
	int			discount;		/* percent */
	int			tax;			/* percent */
	int			shipDay;
	int			commitDay;
	int			receiptDay;
} Line;

typedef struct
{
	int64_t		key;
	int64_t		customer;
	int			day;
	int			lineCount;
	Line		lines[MAX_LINES];
} Order;

static void
MakeLine(Chance *chance, int orderDay, Line *line)
{
	line->part = Between(chance, 1, partCount);
	line->supplier = SupplierOf(line->part, Between(chance, 0, 3));
	line->quantity = (int) Between(chance, 1, 50);
	line->price = line->quantity * RetailPrice(line->part);
	line->discount = (int) Between(chance, 0, 10);
	line->tax = (int) Between(chance, 0, 8);
	line->shipDay = orderDay + (int) Between(chance, 1, 121);
	line->commitDay = orderDay + (int) Between(chance, 30, 90);
	line->receiptDay = line->shipDay + (int) Between(chance, 1, 30);
}

/*
 * What order and lines need to agree on.  Of 32 keys eight are used; a third
 * of the customers never orders.
 */
static void
MakeOrder(Chance *chance, int64_t row, Order *order)
{
	order->key = row / 8 * 32 + row % 8 + 1;
	do
		order->customer = Between(chance, 1, customerCount);
	while (order->customer % 3 == 0);
	order->day = (int) Between(chance, 0, LAST_ORDER_DAY);
	order->lineCount = (int) Between(chance, 1, MAX_LINES);
	for (int i = 0; i < order->lineCount; i++)
		MakeLine(chance, order->day, &order->lines[i]);
}

static void
WriteOrder(int64_t row)
{
	Chance		chance = ChanceOf('o', row);
	Order		order;
	int64_t		total = 0;
	int			shipped = 0;

	MakeOrder(&chance, row, &order);
	for (int i = 0; i < order.lineCount; i++)
	{
		const Line *line = &order.lines[i];

		total += (line->price * (100 + line->tax) / 100) * (100 - line->discount) / 100;
		shipped += line->shipDay <= CURRENT_DAY;
	}
	PutInteger(order.key);
	PutInteger(order.customer);
	PutText(shipped == order.lineCount ? "F" : shipped == 0 ? "O" : "P");
	PutCents(total);
	PutDate(order.day);
	PutText(PICK(&chance, priorities));
	PutNumbered("Clerk", Between(&chance, 1, clerkCount));
	PutInteger(0);
	PutComment(&chance, 19, 78);
}

static void
WriteLines(int64_t row)
{
	Chance		orderChance = ChanceOf('o', row);
	Chance		chance = ChanceOf('l', row);
	Order		order;

	MakeOrder(&orderChance, row, &order);
	for (int i = 0; i < order.lineCount; i++)
	{
		const Line *line = &order.lines[i];

		PutInteger(order.key);
		PutInteger(line->part);
		PutInteger(line->supplier);
		PutInteger(i + 1);
		PutCents(line->quantity * 100);
		PutCents(line->price);
		PutCents(line->discount);
		PutCents(line->tax);
		if (line->receiptDay <= CURRENT_DAY)
			PutText(Between(&chance, 0, 1) ? "R" : "A");
		else
			PutText("N");
		PutText(line->shipDay > CURRENT_DAY ? "O" : "F");
		PutDate(line->shipDay);
		PutDate(line->commitDay);
		PutDate(line->receiptDay);
		PutText(PICK(&chance, instructions));
		PutText(PICK(&chance, modes));
		PutComment(&chance, 10, 43);
	}
}

static void
WriteOrders(void)
{
	for (int64_t row = 0; row < orderCount; row++)
		WriteOrder(row);
}

static void
WriteLineItems(void)
{
	for (int64_t row = 0; row < orderCount; row++)
		WriteLines(row);
}

/* ---------------------------------------------------------------- program */

static const struct
{
	const char *name;
	void		(*write) (void);
}			tables[] =
{
	{"region", WriteRegions}, {"nation", WriteNations}, {"supplier", WriteSuppliers},
	{"customer", WriteCustomers}, {"part", WriteParts}, {"partsupp", WritePartSuppliers},
	{"orders", WriteOrders}, {"lineitem", WriteLineItems}
};

int
main(int argc, char **argv)
{
	double		scale = argc == 3 ? atof(argv[1]) : 0;

	if (scale < 0.001 || scale > 1000)
	{
		fprintf(stderr, "usage: tpch_gen SCALE TABLE, with a scale of 0.001 to 1000\n");
		return 2;
	}
	supplierCount = (int64_t) (scale * 10000 + 0.5);
	partCount = (int64_t) (scale * 200000 + 0.5);
	customerCount = (int64_t) (scale * 150000 + 0.5);
	orderCount = customerCount * 10;
	clerkCount = (int64_t) (scale * 1000 + 0.999);
	MakeDates();
	for (int i = 0; i < LENGTH(tables); i++)
	{
		if (strcmp(argv[2], tables[i].name) == 0)
		{
			tables[i].write();
			Flush();
			return fflush(stdout) == 0 ? 0 : 1;
		}
	}
	fprintf(stderr, "tpch_gen: no table %s\n", argv[2]);
	return 2;
}
