/*-------------------------------------------------------------------------
 *
 * row_fetch.c
 *	  Single rows of row groups by their TID.
 *
 * Index scans, updates, triggers and TID scans ask for rows one by one.  Of the
 * tables that were asked last, directory and reader are kept, from transaction to
 * transaction: the directory as long as the header's generation says that nothing
 * has changed, the reader as long as the table has the same columns.  Errors drop
 * everything, for they may come at any time.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/subtrans.h"
#include "access/transam.h"
#include "access/xact.h"
#include "storage/predicate.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "base/settings.h"
#include "rowgroup/group_reader.h"
#include "storage/directory.h"
#include "storage/table_header.h"
#include "visibility/anchor.h"
#include "visibility/row_fetch.h"
#include "visibility/row_move.h"
#include "visibility/stub.h"
#include "visibility/touch.h"
#include "visibility/unseen_moves.h"

/* Tables that are remembered: rows may go to many partitions in turn. */
#define TABLES		64

/* Those of which a group is kept open, with the columns that were read of it. */
#define OPEN_TABLES	8

/* Bytes that the columns of all others may take. */
#define KEPT_ROOM	(32 * 1024 * 1024)

/* Rows that are fetched from a vector one by one, before all of it is decoded. */
#define SINGLE_ROWS	4

typedef struct FetchTable
{
	MemoryContext context;		/* NULL: this place is unused */
	Oid			relid;
	RetlFileLocator locator;
	RetlHeaderState state;		/* of the header, when the directory was read */
	bool		stale;			/* its columns may have changed */
	uint64		lastUse;
	MemoryContext directoryContext;
	RetlDirectory *directory;
	RetlGroupReader *reader;

	bool		isOpen;			/* the reader is, maybe at a group that is no more */
	Size		keptRoom;		/* if not: bytes of the reader's columns */

	/* what the reader is at */
	uint64		openGroup;		/* id; 0: none */
	uint32		vector;			/* from which rows were fetched last */
	uint32		vectorFetches;	/* how many */

	/* the anchor of a group, when it was looked at last; 0: of none */
	uint64		anchorGroup;
	HeapTupleHeaderData anchor; /* of variable length, so last */
} FetchTable;

/* The row that RetlFetchOpen has turned to. */
typedef struct OpenRow
{
	FetchTable *table;
	RetlGroup	group;
	uint32		row;
	bool		whole;			/* decode all of its vector? */
} OpenRow;


static FetchTable tables[TABLES];
static FetchTable *latest = &tables[0];
static uint64 now = 0;			/* counts uses */
static Size keptRoom = 0;		/* of all tables */
static bool registered = false; /* for relcache invalidations */
static OpenRow openRow;

/* ---------------------------------------------------------------------
 * Tables
 * ---------------------------------------------------------------------
 */

static void
DropTable(FetchTable *table)
{
	keptRoom -= table->keptRoom;
	if (table->context != NULL)
		MemoryContextDelete(table->context);
	memset(table, 0, sizeof(*table));
}

/*
 * Forget what is remembered.
 */
void
RetlFetchCacheReset(void)
{
	for (int i = 0; i < TABLES; i++)
		DropTable(&tables[i]);
	memset(&openRow, 0, sizeof(openRow));
}

/*
 * Relcache callback: the descriptor of a table, or of all, may have changed.
 */
static void
Invalidate(Datum arg, Oid relid)
{
	(void) arg;
	for (int i = 0; i < TABLES; i++)
	{
		if (!OidIsValid(relid) || tables[i].relid == relid)
			tables[i].stale = true;
	}
}

/*
 * Is this what is remembered of a table, and still good?
 */
static inline bool
IsOf(const FetchTable *table, Relation rel)
{
	return table->context != NULL && table->relid == RelationGetRelid(rel) && !table->stale &&
		RetlLocatorEquals(table->locator, RetlRelationLocator(rel));
}

/*
 * The place of a table: its own, or the one that was used longest ago, emptied.
 */
static FetchTable *
PlaceOf(Relation rel)
{
	FetchTable *oldest = &tables[0];

	if (IsOf(latest, rel))
		return latest;
	for (int i = 0; i < TABLES; i++)
	{
		if (tables[i].context != NULL && tables[i].relid == RelationGetRelid(rel))
		{
			if (IsOf(&tables[i], rel))
			{
				latest = &tables[i];
				return latest;
			}
			oldest = &tables[i];
			break;
		}
		if (tables[i].lastUse < oldest->lastUse)
			oldest = &tables[i];
	}
	DropTable(oldest);
	latest = oldest;
	return latest;
}

/*
 * Begin to remember a table.
 */
static void
InitTable(FetchTable *table, Relation rel)
{
	MemoryContext oldContext;

	if (!registered)
	{
		CacheRegisterRelcacheCallback(Invalidate, (Datum) 0);
		registered = true;
	}
	table->context = AllocSetContextCreate(TopMemoryContext, "retldb row fetch",
										   ALLOCSET_SMALL_SIZES);
	table->relid = RelationGetRelid(rel);
	table->locator = RetlRelationLocator(rel);
	table->directoryContext = AllocSetContextCreate(table->context, "retldb directory",
													ALLOCSET_SMALL_SIZES);
	oldContext = MemoryContextSwitchTo(table->context);
	table->reader = RetlGroupReaderCreate(rel, NULL, NULL);
	MemoryContextSwitchTo(oldContext);
}

/*
 * Read the directory of a table, which is not that of its current state.
 */
static void
ReadDirectory(FetchTable *table, Relation rel)
{
	MemoryContext oldContext;

	table->directory = NULL;
	MemoryContextReset(table->directoryContext);
	oldContext = MemoryContextSwitchTo(table->directoryContext);
	table->directory = RetlDirectoryRead(rel);
	MemoryContextSwitchTo(oldContext);
	table->state.generation = table->directory->header->generation;
	memcpy(table->state.incarnation, table->directory->header->incarnation,
		   sizeof(table->state.incarnation));
	table->openGroup = 0;
	if (!retldb_skip_damaged_groups)
		RetlGroupReaderUseCache(table->reader, table->directory->header->incarnation, true);
}

/*
 * What is remembered of a table, brought to its current state.
 */
static FetchTable *
UseTable(Relation rel)
{
	FetchTable *table = PlaceOf(rel);
	RetlHeaderState state;

	table->lastUse = ++now;
	if (table->context == NULL)
		InitTable(table, rel);
	RetlGroupReaderSetRelation(table->reader, rel);
	RetlHeaderReadState(rel, &state);
	if (table->directory == NULL || memcmp(&state, &table->state, sizeof(state)) != 0)
		ReadDirectory(table, rel);
	return table;
}

/* ---------------------------------------------------------------------
 * Groups
 * ---------------------------------------------------------------------
 */

/*
 * Are the rows of a group, which is not FREE, in its pages?
 */
static inline bool
IsWritten(const RetlGroup *group)
{
	return group->entry.state == RETL_GROUP_COMPLETE;
}

/*
 * The group that has a row number, if it is COMPLETE, or NULL.
 */
static RetlGroup *
FindWrittenGroup(const RetlDirectory *directory, uint64 rowNumber)
{
	RetlGroup  *group = RetlDirectoryFindRow(directory, rowNumber);

	return group != NULL && IsWritten(group) ? group : NULL;
}

/*
 * A copy of the group that has a row.
 */
bool
RetlFindRowGroup(Relation rel, ItemPointer tid, RetlGroup *group, uint32 *row)
{
	uint64		rowNumber = RetlTidGetRowNumber(tid);
	RetlGroup  *found;

	Assert(RetlTidIsColumnar(tid));
	found = FindWrittenGroup(UseTable(rel)->directory, rowNumber);
	if (found == NULL)
		return false;
	*group = *found;
	*row = rowNumber - found->entry.rowBase;
	return true;
}

/* ---------------------------------------------------------------------
 * Visibility
 * ---------------------------------------------------------------------
 */

/*
 * The same, to look at a row that a scan which is under way has handed out: its
 * group has not changed, so what is remembered of it need not be compared with the
 * file.  Whether it has a stub map is not to be learnt from it.
 */
static FetchTable *
UseTableAt(Relation rel, uint64 rowNumber)
{
	if (RetlTouchWasHandedOut(rel, rowNumber))
	{
		FetchTable *table = PlaceOf(rel);

		if (table->directory != NULL && FindWrittenGroup(table->directory, rowNumber) != NULL)
		{
			table->lastUse = ++now;
			RetlGroupReaderSetRelation(table->reader, rel);
			return table;
		}
	}
	return UseTable(rel);
}

/*
 * Does a snapshot see the anchor of a group?  For SnapshotAny and a row that was
 * handed out it is known by the second time who has inserted it.
 */
static bool
AnchorIsVisible(FetchTable *table, Relation rel, const RetlGroupEntry *entry, bool handedOut,
				Snapshot snapshot, HeapTupleHeader anchor, bool *allDead)
{
	if (handedOut && table->anchorGroup == entry->groupId)
	{
		*anchor = table->anchor;
		return true;
	}
	if (!RetlAnchorIsVisibleOrDead(rel, entry, snapshot, anchor, allDead))
		return false;
	if (handedOut)
	{
		table->anchorGroup = entry->groupId;
		table->anchor = *anchor;
	}
	return true;
}

/*
 * Is what we know of a group, whose anchor a snapshot has just seen, too old for it?  A
 * dirty snapshot may have seen the end of compaction, which gives a group the stubs of its
 * rows before that: without a stub map, an entry from before then says that rows are there
 * which somebody, maybe ourselves, has deleted.
 */
static bool
IsTooOld(const FetchTable *table, Relation rel, const RetlGroup *group, Snapshot snapshot)
{
	RetlHeaderState state;

	if ((snapshot->snapshot_type != SNAPSHOT_DIRTY && snapshot->snapshot_type != SNAPSHOT_SELF) ||
		group->entry.stubMapRoot != RETLDB_NO_BLOCK)
		return false;
	RetlHeaderReadState(rel, &state);
	return memcmp(&state, &table->state, sizeof(state)) != 0;
}

/*
 * Find the group of a row, if the snapshot sees it, by an entry that is from after
 * whatever the snapshot knows of.
 */
static RetlGroup *
FindVisibleGroup(FetchTable *table, Relation rel, uint64 rowNumber, bool handedOut,
				 Snapshot snapshot, HeapTupleHeader anchor, bool *allDead)
{
	for (;;)
	{
		RetlGroup  *group = RetlDirectoryFindRow(table->directory, rowNumber);

		if (snapshot->snapshot_type == SNAPSHOT_DIRTY)
		{
			/* what an earlier row has left there must not count for this one */
			snapshot->xmin = snapshot->xmax = InvalidTransactionId;
			snapshot->speculativeToken = 0;
		}
		if (allDead != NULL)
			*allDead = false;
		if (group == NULL)
		{
			/* numbers are not given out before the entry is made, nor ever again */
			if (allDead != NULL)
				*allDead = !retldb_skip_damaged_groups;
			return NULL;
		}
		if (!AnchorIsVisible(table, rel, &group->entry, handedOut, snapshot, anchor, allDead))
			return NULL;
		if (!IsTooOld(table, rel, group, snapshot))
			return group;
		table = UseTable(rel);
	}
}

/*
 * Is a row of a group, whose anchor the snapshot has just seen, there for it, if more than its
 * stub must be looked at: for a serializable transaction, or for changes of our own where
 * the row is now?  The group is a copy, for the directory may be read anew meanwhile.
 */
static RetlFetched
FetchWithCare(Relation rel, ItemPointer tid, RetlGroup group, Snapshot snapshot,
			  HeapTupleHeader anchor, bool *allDead)
{
	uint32		row = RetlTidGetRowNumber(tid) - group.entry.rowBase;

	/*
	 * As heap_fetch, and before the map is looked at: a change after that sees our lock.
	 * It may have made the map since we read the directory.
	 */
	PredicateLockTID(rel, tid, snapshot, HeapTupleHeaderGetXmin(anchor));
	if (group.entry.stubMapRoot == RETLDB_NO_BLOCK)
		(void) RetlDirectoryReadStubMapRoot(rel, &group);
	RetlCheckRewrittenRow(rel, &group.entry, row, snapshot);
	if (!RetlRowIsVisibleOrDead(rel, &group.entry, row, snapshot, allDead))
		return RETL_FETCHED_NONE;
	if (RetlOwnChangesMatterTo(anchor, snapshot) &&
		!RetlGroupRowStays(rel, &group.entry, row, snapshot))
		return RETL_FETCHED_NONE;
	return IsWritten(&group) ? RETL_FETCHED_ROW : RETL_FETCHED_UNWRITTEN;
}

/*
 * Is a columnar row there for the snapshot?
 */
RetlFetched
RetlFetchRow(Relation rel, ItemPointer tid, Snapshot snapshot, HeapTupleHeader anchor,
			 bool *allDead)
{
	uint64		rowNumber = RetlTidGetRowNumber(tid);
	bool		handedOut = snapshot->snapshot_type == SNAPSHOT_ANY &&
		RetlTouchWasHandedOut(rel, rowNumber);
	FetchTable *table = handedOut ? UseTableAt(rel, rowNumber) : UseTable(rel);
	RetlGroup  *group = FindVisibleGroup(table, rel, rowNumber, handedOut, snapshot, anchor,
										 allDead);

	Assert(RetlTidIsColumnar(tid));
	if (group == NULL)
		return RETL_FETCHED_NONE;
	if (unlikely(CheckForSerializableConflictOutNeeded(rel, snapshot)) ||
		unlikely(RetlOwnChangesMatterTo(anchor, snapshot)))
		return FetchWithCare(rel, tid, *group, snapshot, anchor, allDead);
	if (!RetlRowIsVisibleOrDead(rel, &group->entry,
								rowNumber - group->entry.rowBase, snapshot, allDead))
		return RETL_FETCHED_NONE;
	return IsWritten(group) ? RETL_FETCHED_ROW : RETL_FETCHED_UNWRITTEN;
}

/*
 * Is there a columnar row, of any state?
 */
bool
RetlFetchAnyRow(Relation rel, ItemPointer tid, HeapTupleHeader anchor)
{
	RetlGroup  *group;

	Assert(RetlTidIsColumnar(tid));
	group = FindWrittenGroup(UseTable(rel)->directory, RetlTidGetRowNumber(tid));
	return group != NULL && RetlAnchorIsVisible(rel, &group->entry, SnapshotAny, anchor);
}

/* See row_fetch.h. */
bool
RetlFetchLostRow(Relation rel, ItemPointer tid, HeapTupleHeader anchor)
{
	RetlGroup  *group;

	Assert(RetlTidIsColumnar(tid));
	group = FindWrittenGroup(UseTable(rel)->directory, RetlTidGetRowNumber(tid));
	if (group == NULL || RetlAnchorExists(rel, &group->entry))
		return false;
	memset(anchor, 0, sizeof(*anchor));
	anchor->t_infomask = HEAP_XMAX_INVALID;
	RetlAnchorSetInserter(anchor, &group->entry);
	return true;
}

/* ---------------------------------------------------------------------
 * Columns
 * ---------------------------------------------------------------------
 */

/*
 * Close a table's group.  Its columns stay to be used for another one, as long as those
 * of all closed tables do not take too much: rows may go to many partitions of many
 * columns in turn.
 */
static void
CloseTable(FetchTable *table)
{
	Size		room;

	table->openGroup = 0;
	table->isOpen = false;
	RetlGroupReaderClose(table->reader);
	room = RetlGroupReaderRoom(table->reader);
	if (keptRoom + room > KEPT_ROOM)
		RetlGroupReaderFreeRoom(table->reader);
	else
	{
		table->keptRoom = room;
		keptRoom += room;
	}
}

/*
 * A table that is closed is going to be opened: close another one if too many are open.
 */
static void
OpenTable(FetchTable *table)
{
	FetchTable *oldest = NULL;
	int			count = 0;

	if (table->isOpen)
		return;
	for (int i = 0; i < TABLES; i++)
	{
		if (!tables[i].isOpen)
			continue;
		count++;
		if (oldest == NULL || tables[i].lastUse < oldest->lastUse)
			oldest = &tables[i];
	}
	if (count >= OPEN_TABLES)
		CloseTable(oldest);
	keptRoom -= table->keptRoom;
	table->keptRoom = 0;
	table->isOpen = true;
}

/*
 * Turn to a row whose columns are wanted.
 */
RetlFetched
RetlFetchOpen(Relation rel, ItemPointer tid)
{
	uint64		rowNumber = RetlTidGetRowNumber(tid);
	FetchTable *table = UseTableAt(rel, rowNumber);
	RetlGroup  *group = RetlDirectoryFindRow(table->directory, rowNumber);
	uint32		row;
	uint32		vector;

	if (group == NULL)
		return RETL_FETCHED_NONE;
	if (!IsWritten(group))
		return RETL_FETCHED_UNWRITTEN;
	row = rowNumber - group->entry.rowBase;
	if (table->openGroup != group->entry.groupId)
	{
		OpenTable(table);
		table->openGroup = 0;
		RetlGroupReaderSetSingle(table->reader, true);
		RetlGroupReaderOpen(table->reader, &group->entry);
		table->openGroup = group->entry.groupId;
		table->vector = PG_UINT32_MAX;
	}
	vector = row / RetlGroupReaderVectorRows(table->reader);
	if (vector != table->vector)
	{
		table->vector = vector;
		table->vectorFetches = 0;
	}
	if (table != openRow.table || row != openRow.row)
		table->vectorFetches++;
	openRow.table = table;
	openRow.group = *group;
	openRow.row = row;
	openRow.whole = table->vectorFetches > SINGLE_ROWS;
	RetlGroupReaderSetSingle(table->reader, !openRow.whole);
	return RETL_FETCHED_ROW;
}

/*
 * Columns that are going to be asked for.
 */
void
RetlFetchAnticipate(const AttrNumber *attnums, int count)
{
	if (!openRow.whole)
		RetlGroupReaderAnticipate(openRow.table->reader, attnums, count, openRow.row);
}

/*
 * A column of the row.  The first rows of a vector are fetched alone; whoever
 * comes again gets the whole vector, for triggers go through it row by row.
 */
Datum
RetlFetchColumn(AttrNumber attnum, bool *isnull)
{
	RetlGroupReader *reader = openRow.table->reader;
	uint32		vectorRows = RetlGroupReaderVectorRows(reader);
	uint32		vector = openRow.row / vectorRows;
	uint32		vectorRow = openRow.row % vectorRows;
	RetlSelection selection;

	if (openRow.whole)
		return RetlVectorGetDatum(RetlGroupReaderGetVector(reader, attnum, vector), vectorRow,
								  isnull);
	memset(&selection, 0, sizeof(selection));
	selection.rowCount = Min(vectorRows, RetlGroupReaderRowCount(reader) - vector * vectorRows);
	selection.count = 1;
	selection.words[vectorRow / 64] = UINT64CONST(1) << (vectorRow % 64);
	return RetlVectorGetDatum(RetlGroupReaderGetSelected(reader, attnum, vector, &selection),
							  vectorRow, isnull);
}

/*
 * Let a copy of the anchor's header say who inserted the row.
 */
void
RetlFetchInserter(HeapTupleHeader header)
{
	if (RetlGroupReaderIsCompacted(openRow.table->reader))
		RetlAnchorSetInserter(header, &openRow.group.entry);
}

/* ---------------------------------------------------------------------
 * Rows that were moved
 * ---------------------------------------------------------------------
 */

/* See row_fetch.h. */
bool
RetlGroupWasCompacted(Relation rel, const RetlGroupEntry *entry)
{
	ItemPointerData tid;

	RetlTidFromRowNumber(&tid, entry->rowBase);
	return RetlFetchOpen(rel, &tid) == RETL_FETCHED_ROW &&
		RetlGroupReaderIsCompacted(openRow.table->reader);
}

/*
 * Did a transaction move rows?  Compaction inserts the anchors of its groups, but
 * writers of these are those whose rows it has moved.
 */
bool
RetlRowWasMovedBy(Relation rel, TransactionId xid)
{
	TransactionId top;
	const RetlDirectory *directory;

	if (!TransactionIdIsNormal(xid) || TransactionIdPrecedes(xid, TransactionXmin))
		return false;
	top = SubTransGetTopmostTransaction(xid);
	directory = UseTable(rel)->directory;
	for (int i = 0; i < directory->groupCount; i++)
	{
		const RetlGroupEntry *entry = &directory->groups[i].entry;
		HeapTupleHeaderData anchor;

		if (entry->state == RETL_GROUP_COMPLETE &&
			!TransactionIdEquals((TransactionId) entry->writerXid, top) &&
			RetlAnchorIsVisible(rel, entry, SnapshotAny, &anchor) &&
			TransactionIdEquals(HeapTupleHeaderGetXmin(&anchor), xid))
			return true;
	}
	return false;
}
