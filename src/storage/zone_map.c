/*-------------------------------------------------------------------------
 *
 * zone_map.c
 *	  Zone map pages: statistics of row groups, column by column.
 *
 * They repeat what the footers say, laid out so that the statistics of one
 * column over many row groups lie together.  An entry carries the low half of
 * its owner's group id: a slot that was reused, or a group that has no such
 * column, is told from it, and nothing is concluded then.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/generic_xlog.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"

#include "base/errors.h"
#include "storage/column_page.h"
#include "storage/directory.h"

/*
 * Sequence number that a zone map page must carry.
 */
static uint32
ZonePageSequence(int pageIndex, uint32 zonePage)
{
	return (uint32) pageIndex << 16 | zonePage;
}

/*
 * Where the zone maps of a slot's directory page are.
 */
static RetlZoneMapRef
GetZoneMapRef(Relation rel, const RetlSlot *slot)
{
	Buffer		buffer = RetlPageRead(rel, slot->block, RETL_PAGE_DIRECTORY, 0,
									  slot->pageIndex, BUFFER_LOCK_SHARE, NULL);
	RetlDirectoryPage *page = (RetlDirectoryPage *) RetlPageGetPayload(BufferGetPage(buffer));
	RetlZoneMapRef ref;

	ref.zoneStart = page->zoneStart;
	ref.zonePageCount = page->zonePageCount;
	ref.zoneColumns = page->zoneColumns;
	ref.zoneColumnsPerPage = page->zoneColumnsPerPage;
	ref.slotCapacity = page->slotCapacity;
	UnlockReleaseBuffer(buffer);
	return ref;
}

/*
 * Write the entries of a group: its slot of each column's array, one WAL
 * record for each zone map page.
 */
void
RetlZoneMapWrite(Relation rel, const RetlGroup *group, const RetlZoneEntry *entries,
				 int columnCount)
{
	RetlZoneMapRef ref = GetZoneMapRef(rel, &group->slot);

	Assert(columnCount <= ref.zoneColumns);

	for (uint32 zonePage = 0; zonePage * ref.zoneColumnsPerPage < columnCount; zonePage++)
	{
		int			first = zonePage * ref.zoneColumnsPerPage;
		int			count = Min(ref.zoneColumnsPerPage, columnCount - first);
		BlockNumber block = ref.zoneStart + zonePage;
		Buffer		buffer;
		GenericXLogState *state;
		Page		page;
		RetlZoneEntry *onPage;

		CHECK_FOR_INTERRUPTS();
		buffer = RetlPageRead(rel, block, RETL_PAGE_ZONE_MAP, 0,
							  ZonePageSequence(group->slot.pageIndex, zonePage),
							  BUFFER_LOCK_EXCLUSIVE, NULL);
		state = GenericXLogStart(rel);
		page = GenericXLogRegisterBuffer(state, buffer, 0);
		onPage = (RetlZoneEntry *) RetlPageGetPayload(page);
		for (int i = 0; i < count; i++)
			onPage[i * ref.slotCapacity + group->slot.slot] = entries[first + i];
		RetlPageSetChecksum(page, block);
		GenericXLogFinish(state);
		UnlockReleaseBuffer(buffer);
	}
}

/*
 * Read a column's entries of all slots of a directory page.
 */
bool
RetlZoneMapRead(Relation rel, const RetlDirectory *directory, int pageIndex,
				uint32 columnId, RetlZoneEntry *entries)
{
	const RetlZoneMapRef *ref = &directory->pages[pageIndex];
	uint32		zonePage;
	uint32		column;
	Buffer		buffer;
	RetlZoneEntry *onPage;

	Assert(columnId > 0);
	if (columnId > ref->zoneColumns)
		return false;
	zonePage = (columnId - 1) / ref->zoneColumnsPerPage;
	column = (columnId - 1) % ref->zoneColumnsPerPage;

	buffer = RetlPageRead(rel, ref->zoneStart + zonePage, RETL_PAGE_ZONE_MAP, 0,
						  ZonePageSequence(pageIndex, zonePage), BUFFER_LOCK_SHARE, NULL);
	onPage = (RetlZoneEntry *) RetlPageGetPayload(BufferGetPage(buffer));
	memcpy(entries, onPage + (Size) column * ref->slotCapacity,
		   ref->slotCapacity * sizeof(RetlZoneEntry));
	UnlockReleaseBuffer(buffer);
	return true;
}
