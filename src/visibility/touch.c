/*-------------------------------------------------------------------------
 *
 * touch.c
 *	  Touching rows of row groups: making their stubs.
 *
 * A row is touched when it is locked, updated or deleted for the first time: it
 * gets a stub, and the group's map an entry.  A stub is inserted before the map
 * names it.  What an error or a crash between the two leaves is a tuple that
 * nobody looks at.
 *
 * One by one that takes two WAL records, a heavyweight lock and several visits of
 * the same pages for each row.  So scans say which rows they are about to hand
 * out to a command that will touch them (RetlTouchExpect), and the stubs of
 * several of them are made at once.  How many is learnt from what becomes of
 * them: twice as many each time, as long as nearly all rows are touched that are
 * handed out, so LIMIT, joins and triggers that drop rows cost at most about as
 * many stubs as were needed.  A stub that nobody needed does no harm.
 *
 * Upserts know many rows that they will touch, but touch them in the order of their
 * source.  They keep what they know of these rows themselves, and say which of them
 * comes next (RetlTouchExpectRow): then those of its group that come after it, in the
 * order of the group, get their stubs with it.
 *
 * Whoever touches rows one after the other without such a scan (a range of an
 * index, rows that were sorted) is expected to go on.
 *
 * What is kept of a vector are places of stubs, and that a command may touch its
 * rows at all.  Both hold until the command ends: when compaction moves a row that
 * has a stub, the stub goes with it, so what is done to it counts for the row
 * wherever that is.  When it retires a stub, whoever comes there sees that.  Rows
 * without a stub are another matter: none is made in a group that somebody takes away, or
 * has taken away.  Whoever does that marks the anchor with the map's lock held, so it is
 * asked under that lock.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/heapam_xlog.h"
#include "access/hio.h"
#include "access/visibilitymap.h"
#include "access/xact.h"
#include "access/xloginsert.h"
#include "miscadmin.h"
#include "storage/proc.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "storage/stub_map.h"
#include "visibility/anchor.h"
#include "visibility/row_fetch.h"
#include "visibility/stub.h"
#include "visibility/touch.h"

/* Rows that are touched at once, at most. */
#define MAX_AHEAD	RETLDB_STUB_LEAF_CAPACITY

/* They must be this share of what was handed out for more to be touched at once. */
#define USED_NUMERATOR		3
#define USED_DENOMINATOR	4

/* A stub with room for nothing else. */
typedef union StubTuple
{
	HeapTupleHeaderData header;
	char		bytes[RETLDB_STUB_LENGTH];
	uint64		align;
} StubTuple;

/* Rows that follow each other and were touched, before others are expected to be. */
#define RUN_LENGTH	4

/* The vector whose rows a scan hands out, and what is known of them. */
typedef struct Expectation
{
	bool		valid;
	bool		handedOut;		/* by a scan; else a run of rows is to go on */
	Oid			relid;
	RetlFileLocator locator;
	uint64		groupId;
	uint64		firstRowNumber; /* of the vector */
	uint32		firstRow;		/* the same within the group */
	RetlSelection rows;			/* to be handed out */

	/* rows whose stubs are known */
	uint64		known[RETLDB_MAX_VECTOR_ROWS / 64];
	ItemPointerData stubs[RETLDB_MAX_VECTOR_ROWS];
	uint64		numbers[RETLDB_MAX_VECTOR_ROWS];	/* that these carry */
	TransactionId xmin;			/* of our oldest snapshot when they were found out */

	/* the command that may touch rows of the group */
	bool		hasCommand;
	CommandId	cid;

	/* how it went */
	uint32		next;			/* rows before that were touched or passed over */
	RetlTouchPace pace;
} Expectation;

static Expectation expected;

/* Of which a row is handed out, or NULL. */
static RetlTouchBatch *batch;

/* Rows that were touched one after the other, of which none was expected. */
typedef struct TouchedRun
{
	uint32		length;			/* 0: none */
	Oid			relid;
	RetlFileLocator locator;
	uint64		next;			/* the row number that would go on with it */
} TouchedRun;

static TouchedRun run;

/* ---------------------------------------------------------------------
 * Expectations
 * ---------------------------------------------------------------------
 */

static inline bool
HasBit(const uint64 *words, uint32 row)
{
	return (words[row / 64] >> (row % 64)) & 1;
}

/*
 * Number of rows in [from, to) of the vector that were to be handed out.
 */
static uint32
CountExpected(uint32 from, uint32 to)
{
	uint32		count = 0;

	for (uint32 row = RetlSelectionNext(&expected.rows, from); row < to;
		 row = RetlSelectionNext(&expected.rows, row + 1))
		count++;
	return count;
}

/*
 * Forget everything.
 */
void
RetlTouchForget(void)
{
	expected.valid = false;
	batch = NULL;
	run.length = 0;
	RetlStubMapForget();
}

/*
 * Rows of a group from firstRow on are expected to be touched.
 */
static void
Expect(Relation rel, const RetlGroupEntry *entry, uint32 firstRow, uint32 nextRow,
	   const RetlSelection *rows, bool handedOut)
{
	bool		sameTable = expected.valid && expected.relid == RelationGetRelid(rel) &&
		RetlLocatorEquals(expected.locator, RetlRelationLocator(rel));

	Assert(rows->rowCount <= RETLDB_MAX_VECTOR_ROWS);
	if (sameTable)
		expected.pace.passed += CountExpected(expected.next, expected.rows.rowCount);
	else
		memset(&expected.pace, 0, sizeof(expected.pace));
	expected.hasCommand &= sameTable && expected.groupId == entry->groupId;
	expected.valid = true;
	expected.handedOut = handedOut;
	expected.relid = RelationGetRelid(rel);
	expected.locator = RetlRelationLocator(rel);
	expected.groupId = entry->groupId;
	expected.firstRowNumber = entry->rowBase + firstRow;
	expected.firstRow = firstRow;
	expected.rows.rowCount = rows->rowCount;
	expected.rows.count = rows->count;
	memcpy(expected.rows.words, rows->words, RetlSelectionWords(rows->rowCount) * sizeof(uint64));
	memset(expected.known, 0, RetlSelectionWords(rows->rowCount) * sizeof(uint64));
	expected.next = nextRow;
}

/*
 * A scan turns to a vector.
 */
void
RetlTouchExpect(Relation rel, const RetlGroupEntry *entry, uint32 firstRow, uint32 nextRow,
				const RetlSelection *rows)
{
	Expect(rel, entry, firstRow, nextRow, rows, true);
}

/*
 * A row is touched that nobody has expected.  If it goes on with a run, more of it
 * are expected from now on, unless a scan is under way.  Returns whether they are.
 */
static bool
ExpectRun(Relation rel, const RetlGroupEntry *entry, uint32 row)
{
	uint64		rowNumber = entry->rowBase + row;
	RetlSelection rows;

	if (run.length > 0 && run.next == rowNumber && run.relid == RelationGetRelid(rel) &&
		RetlLocatorEquals(run.locator, RetlRelationLocator(rel)))
		run.length++;
	else
		run.length = 1;
	run.relid = RelationGetRelid(rel);
	run.locator = RetlRelationLocator(rel);
	run.next = rowNumber + 1;
	if (run.length < RUN_LENGTH || (expected.valid && expected.handedOut))
		return false;
	memset(&rows, 0, sizeof(rows));
	RetlSelectAll(&rows, Min(RETLDB_MAX_VECTOR_ROWS, entry->rowCount - row));
	Expect(rel, entry, row, 0, &rows, false);
	return true;
}

/*
 * Is this a row of the vector that the scan is at?
 */
static bool
IsExpected(Relation rel, uint64 rowNumber)
{
	return expected.valid &&
		rowNumber - expected.firstRowNumber < expected.rows.rowCount &&
		expected.relid == RelationGetRelid(rel) &&
		RetlLocatorEquals(expected.locator, RetlRelationLocator(rel));
}

/*
 * Is this the row of the batch that is handed out?
 */
static bool
IsCurrent(Relation rel, uint64 rowNumber)
{
	return batch != NULL && batch->rows[batch->current].rowNumber == rowNumber &&
		batch->relid == RelationGetRelid(rel) &&
		RetlLocatorEquals(batch->locator, RetlRelationLocator(rel));
}

/*
 * Is this one of the rows that the scan hands out?
 */
bool
RetlTouchWasHandedOut(Relation rel, uint64 rowNumber)
{
	return IsCurrent(rel, rowNumber) ||
		(IsExpected(rel, rowNumber) && expected.handedOut &&
		 HasBit(expected.rows.words, rowNumber - expected.firstRowNumber));
}

/*
 * See touch.h.
 */
void
RetlTouchExpectRow(RetlTouchBatch *ofBatch, uint32 index)
{
	Assert(index < ofBatch->rowCount);
	batch = ofBatch;
	batch->current = index;
	batch->isTouched = false;
	batch->pace.passed++;
}

/*
 * The row that is handed out is touched.
 */
static void
CountCurrent(void)
{
	if (!batch->isTouched)
		batch->pace.used++;
	batch->isTouched = true;
}

/*
 * A row of the vector is touched: count what was passed over to get there.
 */
static void
CountTouch(uint32 vectorRow)
{
	if (vectorRow < expected.next)
		return;
	expected.pace.passed += CountExpected(expected.next, vectorRow) + 1;
	expected.pace.used++;
	expected.next = vectorRow + 1;
}

/*
 * Is the place of a stub remembered?  A retired stub stays where it stands as long as
 * there is a snapshot from before that, and no longer.  A transaction may have had none
 * between two commands; but then its oldest snapshot is another one, unless something in
 * another database has held ours back.  Should the stub be gone then, whoever comes to its
 * place asks the map again, and takes no other row's stub for it, for that has another
 * number.
 */
static bool
IsKnown(uint32 vectorRow)
{
	return HasBit(expected.known, vectorRow) && TransactionIdIsValid(expected.xmin) &&
		TransactionIdEquals(expected.xmin, MyProc->xmin);
}

/*
 * Remember the place of a stub.
 */
static void
SetKnown(uint32 vectorRow, const RetlStubEntry *stub)
{
	if (!TransactionIdEquals(expected.xmin, MyProc->xmin))
		memset(expected.known, 0, sizeof(expected.known));
	expected.xmin = MyProc->xmin;
	expected.known[vectorRow / 64] |= UINT64CONST(1) << (vectorRow % 64);
	expected.stubs[vectorRow] = stub->stub;
	expected.numbers[vectorRow] = stub->number;
}

/*
 * The known stub of a row.
 */
static void
GetKnown(uint32 vectorRow, RetlStubEntry *stub)
{
	memset(stub, 0, sizeof(*stub));
	stub->row = expected.firstRow + vectorRow;
	stub->stub = expected.stubs[vectorRow];
	stub->number = expected.numbers[vectorRow];
}

/*
 * The same of the row that is handed out.
 */
static void
GetKnownOfCurrent(RetlStubEntry *stub)
{
	const RetlExpectedRow *row = &batch->rows[batch->current];

	memset(stub, 0, sizeof(*stub));
	stub->stub = row->stub;
	stub->number = row->stubNumber;
}

/*
 * Where is the stub of a row that is handed out, if that is known?
 */
bool
RetlTouchKnowsStub(Relation rel, uint64 rowNumber, RetlStubEntry *stub)
{
	if (IsCurrent(rel, rowNumber))
	{
		if (!batch->rows[batch->current].isKnown)
			return false;
		GetKnownOfCurrent(stub);
		return true;
	}
	if (!IsExpected(rel, rowNumber) || !IsKnown(rowNumber - expected.firstRowNumber))
		return false;
	GetKnown(rowNumber - expected.firstRowNumber, stub);
	return true;
}

/*
 * See touch.h.
 */
void
RetlTouchForgetStub(Relation rel, uint64 rowNumber)
{
	if (IsCurrent(rel, rowNumber))
		batch->rows[batch->current].isKnown = false;
	if (IsExpected(rel, rowNumber))
	{
		uint32		vectorRow = rowNumber - expected.firstRowNumber;

		expected.known[vectorRow / 64] &= ~(UINT64CONST(1) << (vectorRow % 64));
	}
}

/*
 * Is it known that the command may touch this row, and where its stub is?
 */
bool
RetlTouchIsKnown(Relation rel, ItemPointer tid, CommandId cid, RetlStubEntry *stub)
{
	uint64		rowNumber = RetlTidGetRowNumber(tid);

	if (!RetlTouchKnowsStub(rel, rowNumber, stub))
		return false;
	if (IsCurrent(rel, rowNumber))
	{
		if (batch->cid != cid)
			return false;
		CountCurrent();
		return true;
	}
	if (!expected.hasCommand || expected.cid != cid)
		return false;
	CountTouch(rowNumber - expected.firstRowNumber);
	return true;
}

/*
 * How many rows are to be touched at once now?
 */
static uint32
ChooseAhead(RetlTouchPace *pace)
{
	if (pace->ahead == 0)
		pace->ahead = 1;
	if (pace->used * USED_DENOMINATOR >= pace->passed * USED_NUMERATOR)
		pace->ahead = Min(pace->ahead * 2, MAX_AHEAD);
	else
		pace->ahead = Max(pace->ahead / 4, 1);
	pace->used = pace->passed = 0;
	return pace->ahead;
}

/*
 * The rows of the group to be touched together with one of the vector; rising,
 * that one first.  Returns their number.
 */
static int
ChooseRows(uint32 vectorRow, RetlStubEntry *rows)
{
	uint32		ahead = ChooseAhead(&expected.pace);
	int			count = 0;

	rows[count++].row = expected.firstRow + vectorRow;
	for (uint32 i = RetlSelectionNext(&expected.rows, vectorRow + 1);
		 count < ahead && i < expected.rows.rowCount;
		 i = RetlSelectionNext(&expected.rows, i + 1))
	{
		if (!IsKnown(i))
			rows[count++].row = expected.firstRow + i;
	}
	return count;
}

/* ---------------------------------------------------------------------
 * Making stubs
 * ---------------------------------------------------------------------
 */

/*
 * Fill in the tuple of a row's stub.
 */
static void
InitStub(StubTuple *stub, HeapTuple tuple, Relation rel, TransactionId xid, uint64 rowNumber)
{
	uint64		payload = RetlStubPayload(rowNumber);

	memset(stub, 0, sizeof(*stub));
	HeapTupleHeaderSetXmin(&stub->header, xid);
	HeapTupleHeaderSetCmin(&stub->header, FirstCommandId);
	HeapTupleHeaderSetXmax(&stub->header, InvalidTransactionId);
	stub->header.t_infomask = HEAP_XMAX_INVALID;
	HeapTupleHeaderSetXminFrozen(&stub->header);
	stub->header.t_infomask2 = RETLDB_STUB_BIT;
	stub->header.t_hoff = RETLDB_STUB_LENGTH;
	memcpy(stub->bytes + RETLDB_STUB_PAYLOAD_OFFSET, &payload, sizeof(payload));
	tuple->t_data = &stub->header;
	tuple->t_len = RETLDB_STUB_LENGTH;
	tuple->t_tableOid = RelationGetRelid(rel);
}

/*
 * Log stubs that were put on a page, as heap_multi_insert does, but not to be
 * decoded.
 */
static void
LogStubs(Buffer buffer, HeapTuple tuples, int count, bool wasEmpty)
{
	PGAlignedBlock scratch;
	xl_heap_multi_insert *xlrec = (xl_heap_multi_insert *) scratch.data;
	char	   *data = scratch.data + SizeOfHeapMultiInsert +
		(wasEmpty ? 0 : count * sizeof(OffsetNumber));
	char	   *ptr = data;
	XLogRecPtr	lsn;

	xlrec->flags = XLH_INSERT_LAST_IN_MULTI;
	/* replay makes the page anew if it was empty */
	if (PageIsAllVisible(BufferGetPage(buffer)))
		xlrec->flags |= XLH_INSERT_ALL_FROZEN_SET;
	xlrec->ntuples = count;
	for (int i = 0; i < count; i++)
	{
		HeapTupleHeader header = tuples[i].t_data;
		xl_multi_insert_tuple *tupleHeader = (xl_multi_insert_tuple *) SHORTALIGN(ptr);

		if (!wasEmpty)
			xlrec->offsets[i] = ItemPointerGetOffsetNumber(&tuples[i].t_self);
		ptr = (char *) tupleHeader + SizeOfMultiInsertTuple;
		tupleHeader->t_infomask2 = header->t_infomask2;
		tupleHeader->t_infomask = header->t_infomask;
		tupleHeader->t_hoff = header->t_hoff;
		tupleHeader->datalen = RETLDB_STUB_LENGTH - SizeofHeapTupleHeader;
		memcpy(ptr, (char *) header + SizeofHeapTupleHeader, tupleHeader->datalen);
		ptr += tupleHeader->datalen;
	}
	Assert(ptr - scratch.data < BLCKSZ);

	XLogBeginInsert();
	XLogRegisterData((char *) xlrec, data - scratch.data);
	XLogRegisterBuffer(0, buffer, REGBUF_STANDARD | (wasEmpty ? REGBUF_WILL_INIT : 0));
	XLogRegisterBufData(0, data, ptr - data);
	XLogSetRecordFlags(XLOG_INCLUDE_ORIGIN);
	lsn = XLogInsert(RM_HEAP2_ID,
					 XLOG_HEAP2_MULTI_INSERT | (wasEmpty ? XLOG_HEAP_INIT_PAGE : 0));
	PageSetLSN(BufferGetPage(buffer), lsn);
}

/*
 * Put as many stubs as fit on a page with free space; returns their number, at
 * least 1.  This is not heap_multi_insert because to serializable transactions
 * these are no inserts, and statistics must not count them.
 *
 * Stubs are frozen, so a page that is all-visible, or all-frozen, stays so until one
 * of them is touched.  VACUUM relies on it: between its look at the visibility map and
 * at the page nothing may clear the map and leave a page of frozen tuples.  It would
 * set the bit for all-frozen alone, which stays when unfrozen tuples come.
 */
static int
InsertOnePage(Relation rel, HeapTuple tuples, int count, Buffer *mapBuffer)
{
	Buffer		buffer = RetlGetBufferForTuple(rel, RETLDB_STUB_LENGTH, InvalidBuffer, 0,
											   mapBuffer, NULL);
	Page		page = BufferGetPage(buffer);
	Size		keepFree = RelationGetTargetPageFreeSpace(rel, HEAP_DEFAULT_FILLFACTOR);
	bool		wasEmpty = PageGetMaxOffsetNumber(page) == 0;
	int			done;

	START_CRIT_SECTION();
	for (done = 0; done < count; done++)
	{
		if (done > 0 &&
			PageGetHeapFreeSpace(page) < MAXALIGN(RETLDB_STUB_LENGTH) + keepFree)
			break;
		RelationPutHeapTuple(rel, buffer, &tuples[done], false);
	}
	MarkBufferDirty(buffer);
	if (RelationNeedsWAL(rel))
		LogStubs(buffer, tuples, done, wasEmpty);
	END_CRIT_SECTION();
	UnlockReleaseBuffer(buffer);
	return done;
}

/*
 * Insert the stubs of rows and enter them in the map, whose lock the caller
 * holds.  The rows belong to one leaf, which has room.
 */
static void
MakeStubs(Relation rel, const RetlGroupEntry *entry, RetlStubEntry *entries, int count)
{
	TransactionId xid = GetCurrentTransactionId();
	StubTuple  *stubs = palloc(sizeof(StubTuple) * count);
	HeapTuple	tuples = palloc(sizeof(HeapTupleData) * count);
	Buffer		mapBuffer = InvalidBuffer;
	int			done = 0;

	for (int i = 0; i < count; i++)
		InitStub(&stubs[i], &tuples[i], rel, xid, entry->rowBase + entries[i].row);
	while (done < count)
		done += InsertOnePage(rel, tuples + done, count - done, &mapBuffer);
	if (BufferIsValid(mapBuffer))
		ReleaseBuffer(mapBuffer);
	for (int i = 0; i < count; i++)
		entries[i].stub = tuples[i].t_self;
	RetlStubMapAdd(rel, entry, entries, count);
	pfree(stubs);
	pfree(tuples);
}

/*
 * Make the stubs of those rows that have none, as many as the leaf of the first
 * has room for; caller holds the map's lock.
 */
static void
MakeMissing(Relation rel, const RetlGroupEntry *entry, RetlStubEntry *rows, RetlTouch *touches,
			int count, int room)
{
	RetlStubEntry *made = palloc0(sizeof(RetlStubEntry) * count);
	int			madeCount = 0;

	for (int i = 0; i < count && madeCount < room; i++)
	{
		if (touches[i] == RETL_ROW_UNTOUCHED)
			made[madeCount++].row = rows[i].row;
	}
	if (madeCount > 0)
	{
		MakeStubs(rel, entry, made, madeCount);
		for (int i = 0, next = 0; next < madeCount; i++)
		{
			if (touches[i] != RETL_ROW_UNTOUCHED)
				continue;
			touches[i] = RETL_ROW_HAS_STUB;
			rows[i].stub = made[next++].stub;
			rows[i].number = entry->rowBase + rows[i].row;
		}
	}
	pfree(made);
}

/*
 * Touch rows: those that belong to the leaf of the first, as many as it has room
 * for, but at least that one; none if the group is being taken away.  Returns the
 * number of rows of which something is known then; what is in touches and in rows[].
 */
static int
TouchRows(Relation rel, RetlGroup *group, RetlStubEntry *rows, RetlTouch *touches, int count)
{
	int			room;
	int			inLeaf = RetlStubMapLookupRows(rel, &group->entry, rows, touches, count, &room);

	/* nothing else may ask for a heavyweight lock while we hold the map's */
	if (touches[0] == RETL_ROW_UNTOUCHED)
		(void) GetCurrentTransactionId();
	while (touches[0] == RETL_ROW_UNTOUCHED)
	{
		bool		stays;

		if (room == 0)
			RetlStubMapReserve(rel, group, rows[0].row);
		RetlStubMapLock(rel, &group->entry);
		inLeaf = RetlStubMapLookupRows(rel, &group->entry, rows, touches, count, &room);
		stays = RetlAnchorStays(rel, &group->entry);
		if (stays)
			MakeMissing(rel, &group->entry, rows, touches, inLeaf, room);
		RetlStubMapUnlock(rel, &group->entry);
		if (!stays)
			break;
	}
	return inLeaf;
}

/*
 * See touch.h.  The row is one whose stub is gone, rather than "dead", for it has
 * index entries, which VACUUM then removes.  Where the anchor stands there is
 * no stub.
 */
void
RetlRowSetDead(Relation rel, RetlGroup *group, uint32 row)
{
	RetlStubEntry entry = {.row = row};
	bool		done = false;

	/* nothing else may ask for a heavyweight lock while we hold the map's */
	(void) GetCurrentTransactionId();
	ItemPointerSet(&entry.stub, group->entry.anchorBlock, group->entry.anchorOffset);
	while (!done)
	{
		RetlStubMapReserve(rel, group, row);
		RetlStubMapLock(rel, &group->entry);
		if (RetlStubMapRoom(rel, &group->entry, row) > 0)
		{
			RetlStubMapAdd(rel, &group->entry, &entry, 1);
			done = true;
		}
		RetlStubMapUnlock(rel, &group->entry);
	}
}

/*
 * Touch the row that is handed out, and rows of the group that come after it in the batch.
 */
static RetlTouch
TouchCurrent(Relation rel, RetlGroup *group, RetlStubEntry *stub)
{
	RetlTouchBatch *of = batch;
	uint64		end = group->entry.rowBase + group->entry.rowCount;
	uint32		ahead;
	RetlStubEntry rows[MAX_AHEAD];
	RetlTouch	touches[MAX_AHEAD];
	uint32		chosen[MAX_AHEAD];
	int			count = 0;

	CountCurrent();
	if (of->rows[of->current].isKnown)
	{
		GetKnownOfCurrent(stub);
		return RETL_ROW_HAS_STUB;
	}
	ahead = ChooseAhead(&of->pace);
	for (uint32 i = of->current;
		 count < ahead && i < of->rowCount && of->rows[i].rowNumber < end; i++)
	{
		if (of->rows[i].isKnown)
			continue;
		rows[count].row = of->rows[i].rowNumber - group->entry.rowBase;
		chosen[count++] = i;
	}
	count = TouchRows(rel, group, rows, touches, count);
	for (int i = 0; i < count; i++)
	{
		if (touches[i] != RETL_ROW_HAS_STUB)
			continue;
		of->rows[chosen[i]].stub = rows[i].stub;
		of->rows[chosen[i]].stubNumber = rows[i].number;
		of->rows[chosen[i]].isKnown = true;
	}
	*stub = rows[0];
	return touches[0];
}

/*
 * See touch.h.  Maybe others get their stubs that will be touched next.
 */
RetlTouch
RetlTouchRow(Relation rel, RetlGroup *group, uint32 row, CommandId cid, RetlStubEntry *stub)
{
	bool		isExpected = IsExpected(rel, group->entry.rowBase + row) &&
		expected.groupId == group->entry.groupId;
	uint32		vectorRow;
	RetlStubEntry rows[MAX_AHEAD];
	RetlTouch	touches[MAX_AHEAD];
	int			count = 1;

	if (IsCurrent(rel, group->entry.rowBase + row))
		return TouchCurrent(rel, group, stub);
	rows[0].row = row;
	if (!isExpected)
		isExpected = ExpectRun(rel, &group->entry, row);
	if (isExpected)
	{
		vectorRow = row - expected.firstRow;
		CountTouch(vectorRow);
		if (IsKnown(vectorRow))
		{
			GetKnown(vectorRow, stub);
			return RETL_ROW_HAS_STUB;
		}
		count = ChooseRows(vectorRow, rows);
	}
	count = TouchRows(rel, group, rows, touches, count);
	if (isExpected)
	{
		for (int i = 0; i < count; i++)
		{
			if (touches[i] == RETL_ROW_HAS_STUB)
				SetKnown(rows[i].row - expected.firstRow, &rows[i]);
		}
		expected.hasCommand = true;
		expected.cid = cid;
	}
	*stub = rows[0];
	return touches[0];
}
