/*-------------------------------------------------------------------------
 *
 * prefix.c
 *	  Patterns: what all strings that match begin with.
 *
 * LIKE is taken apart here; a regular expression by PostgreSQL, which has done
 * so at planning already, to estimate.  That is why a constant one cannot be
 * found faulty any more when it is evaluated.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/fmgroids.h"

#include "exec/exec.h"

/* Kinds of pattern functions. */
typedef enum PatternKind
{
	PATTERN_NONE,
	PATTERN_STARTS_WITH,
	PATTERN_LIKE,
	PATTERN_NO_PREFIX_LIKE,		/* ILIKE, and what is negated */
	PATTERN_REGEX,
	PATTERN_NO_PREFIX_REGEX
} PatternKind;

/* What kind of pattern function is this? */
static PatternKind
PatternKindOf(Oid function)
{
	switch (function)
	{
		case F_STARTS_WITH:
			return PATTERN_STARTS_WITH;
		case F_TEXTLIKE:
		case F_BPCHARLIKE:
		case F_NAMELIKE:
		case F_BYTEALIKE:
		case F_LIKE_TEXT_TEXT:
		case F_LIKE_NAME_TEXT:
		case F_LIKE_BYTEA_BYTEA:
			return PATTERN_LIKE;
		case F_TEXTNLIKE:
		case F_BPCHARNLIKE:
		case F_NAMENLIKE:
		case F_BYTEANLIKE:
		case F_TEXTICLIKE:
		case F_TEXTICNLIKE:
		case F_BPCHARICLIKE:
		case F_BPCHARICNLIKE:
		case F_NAMEICLIKE:
		case F_NAMEICNLIKE:
			return PATTERN_NO_PREFIX_LIKE;
		case F_TEXTREGEXEQ:
		case F_BPCHARREGEXEQ:
		case F_NAMEREGEXEQ:
			return PATTERN_REGEX;
		case F_TEXTREGEXNE:
		case F_BPCHARREGEXNE:
		case F_NAMEREGEXNE:
		case F_TEXTICREGEXEQ:
		case F_TEXTICREGEXNE:
		case F_BPCHARICREGEXEQ:
		case F_BPCHARICREGEXNE:
		case F_NAMEICREGEXEQ:
		case F_NAMEICREGEXNE:
			return PATTERN_NO_PREFIX_REGEX;
		default:
			return PATTERN_NONE;
	}
}

/* Is this one of the pattern functions? */
bool
RetlIsPatternFunction(Oid function)
{
	return PatternKindOf(function) != PATTERN_NONE;
}

/*
 * Does a function match strings that begin with something its key tells?  Of
 * regular expressions only a constant one is looked at.
 */
bool
RetlHasPrefix(Oid function, Node *key)
{
	switch (PatternKindOf(function))
	{
		case PATTERN_STARTS_WITH:
		case PATTERN_LIKE:
			return true;
		case PATTERN_REGEX:
			return IsA(key, Const) && !((Const *) key)->constisnull;
		default:
			return false;
	}
}

/* What stands before the first wildcard of a LIKE pattern, without escapes. */
static Size
LikePrefix(const uint8 *pattern, Size length, uint8 *prefix)
{
	Size		prefixLength = 0;

	for (Size i = 0; i < length; i++)
	{
		if (pattern[i] == '%' || pattern[i] == '_')
			break;
		if (pattern[i] == '\\' && ++i >= length)
			break;
		prefix[prefixLength++] = pattern[i];
	}
	return prefixLength;
}

/*
 * What all strings that match begin with: *prefix, palloc'd, and its length.
 * False if nothing is known.  The pattern is detoasted.
 */
bool
RetlPatternPrefix(Oid function, Oid collation, Datum pattern, uint8 **prefix, Size *length)
{
	const uint8 *data = (const uint8 *) VARDATA_ANY(DatumGetPointer(pattern));
	Size		dataLength = VARSIZE_ANY_EXHDR(DatumGetPointer(pattern));
	bool		exact;

	switch (PatternKindOf(function))
	{
		case PATTERN_STARTS_WITH:
			*prefix = palloc(dataLength + 1);
			memcpy(*prefix, data, dataLength);
			*length = dataLength;
			break;
		case PATTERN_LIKE:
			*prefix = palloc(dataLength + 1);
			*length = LikePrefix(data, dataLength, *prefix);
			break;
		case PATTERN_REGEX:
			*prefix = (uint8 *) regexp_fixed_prefix(DatumGetTextPP(pattern), false,
													collation, &exact);
			*length = *prefix != NULL ? strlen((char *) *prefix) : 0;
			break;
		default:
			*length = 0;
			break;
	}
	return *length > 0;
}

/* Does a LIKE pattern end in an escape character that escapes nothing? */
static bool
EndsInEscape(const uint8 *pattern, Size length)
{
	for (Size i = 0; i < length; i++)
	{
		if (pattern[i] == '\\' && ++i >= length)
			return true;
	}
	return false;
}

/*
 * Can a match with this key raise an error?  With a pattern that is not known
 * yet it can.
 */
bool
RetlPatternMayFail(Oid function, Node *key)
{
	PatternKind kind = PatternKindOf(function);
	Datum		pattern;

	if (kind == PATTERN_STARTS_WITH)
		return false;
	if (!IsA(key, Const))
		return true;
	if (((Const *) key)->constisnull || kind == PATTERN_REGEX || kind == PATTERN_NO_PREFIX_REGEX)
		return false;
	pattern = PointerGetDatum(PG_DETOAST_DATUM_PACKED(((Const *) key)->constvalue));
	return EndsInEscape((const uint8 *) VARDATA_ANY(DatumGetPointer(pattern)),
						VARSIZE_ANY_EXHDR(DatumGetPointer(pattern)));
}
