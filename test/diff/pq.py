"""libpq by ctypes: as much of it as tests need that watch several sessions.

A Connection sends a command and is polled until it is done, so that one
process can run many sessions, see which of them wait, and cancel them.
"""

import ctypes
import select
import time

COMMAND_OK, TUPLES_OK = 1, 2
IDLE, ACTIVE, IN_TRANSACTION, IN_ERROR, UNKNOWN = range(5)

_library = None


class Lost(Exception):
    """The server has closed the connection."""


class Timeout(Exception):
    """A command took longer than it may."""


class Result:
    """What one statement of a command has brought."""

    def __init__(self, tag, rows, state=None, constraint='', message=''):
        self.tag, self.rows, self.state, self.constraint, self.message = tag, rows, state, constraint, message

    def __repr__(self):
        if self.state:
            return 'ERROR %s %s (%s)' % (self.state, self.constraint, self.message)
        return '%s %s' % (self.tag, self.rows[:20])


def load(path='libpq.so.5'):
    """Load the library; once for a program."""
    global _library
    pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    _library = ctypes.CDLL(path)
    for name, result, arguments in [
            ('PQconnectdb', pointer, [text]), ('PQstatus', number, [pointer]), ('PQerrorMessage', text, [pointer]),
            ('PQsendQuery', number, [pointer, text]), ('PQconsumeInput', number, [pointer]), ('PQisBusy', number, [pointer]),
            ('PQgetResult', pointer, [pointer]), ('PQresultStatus', number, [pointer]), ('PQntuples', number, [pointer]),
            ('PQnfields', number, [pointer]), ('PQgetvalue', text, [pointer, number, number]),
            ('PQgetisnull', number, [pointer, number, number]), ('PQcmdStatus', text, [pointer]),
            ('PQresultErrorField', text, [pointer, number]), ('PQclear', None, [pointer]),
            ('PQtransactionStatus', number, [pointer]), ('PQsocket', number, [pointer]), ('PQbackendPID', number, [pointer]),
            ('PQgetCancel', pointer, [pointer]), ('PQcancel', number, [pointer, text, number]),
            ('PQfreeCancel', None, [pointer]), ('PQfinish', None, [pointer])]:
        function = getattr(_library, name)
        function.restype, function.argtypes = result, arguments


class Connection:
    def __init__(self, conninfo):
        self.busy = False
        self.results = []
        self.handle = _library.PQconnectdb(conninfo.encode())
        if _library.PQstatus(self.handle) != 0:
            message = _library.PQerrorMessage(self.handle).decode()
            _library.PQfinish(self.handle)
            self.handle = None
            raise Lost(message)
        self.pid = _library.PQbackendPID(self.handle)

    def send(self, sql):
        """Start a command; poll() tells when it is done."""
        assert not self.busy
        self.results = []
        if not _library.PQsendQuery(self.handle, sql.encode()):
            raise Lost(_library.PQerrorMessage(self.handle).decode())
        self.busy = True

    def poll(self):
        """Take what has come; true when the command is done."""
        while self.busy:
            if not _library.PQconsumeInput(self.handle):
                raise Lost(_library.PQerrorMessage(self.handle).decode())
            if _library.PQisBusy(self.handle):
                return False
            result = _library.PQgetResult(self.handle)
            if not result:
                self.busy = False
                if _library.PQstatus(self.handle) != 0:
                    raise Lost(_library.PQerrorMessage(self.handle).decode())
                break
            self.results.append(self._take(result))
            _library.PQclear(result)
        return True

    @staticmethod
    def _take(result):
        def field(code):
            value = _library.PQresultErrorField(result, ord(code))
            return value.decode() if value else ''

        if _library.PQresultStatus(result) not in (COMMAND_OK, TUPLES_OK):
            return Result('', [], field('C') or 'XXXXX', field('n'), field('M'))
        rows = [tuple(None if _library.PQgetisnull(result, i, j) else _library.PQgetvalue(result, i, j).decode()
                      for j in range(_library.PQnfields(result))) for i in range(_library.PQntuples(result))]
        return Result(_library.PQcmdStatus(result).decode(), rows)

    def wait(self, seconds):
        """Wait for something to come, at most so long."""
        select.select([_library.PQsocket(self.handle)], [], [], seconds)

    def run(self, sql, seconds=60):
        """Run a command to its end; its results."""
        self.send(sql)
        end = time.monotonic() + seconds
        while not self.poll():
            if time.monotonic() > end:
                raise Timeout(sql)
            self.wait(1)
        return self.results

    def rows(self, sql):
        """The rows of a query that must not fail."""
        result = self.run(sql)[-1]
        if result.state:
            raise RuntimeError('%s: %s' % (sql[:300], result))
        return result.rows

    def cancel(self):
        request = _library.PQgetCancel(self.handle)
        _library.PQcancel(request, ctypes.create_string_buffer(256), 256)
        _library.PQfreeCancel(request)

    @property
    def status(self):
        """IDLE, IN_TRANSACTION, ..."""
        return _library.PQtransactionStatus(self.handle)

    def close(self):
        if self.handle:
            _library.PQfinish(self.handle)
            self.handle = None
