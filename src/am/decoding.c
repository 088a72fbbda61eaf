/*-------------------------------------------------------------------------
 *
 * decoding.c
 *	  Logical decoding of inserted rows: row groups are not decoded.
 *
 * So rows that somebody decodes go to the row store.  Known are publications, and the
 * slots of this server.  Of slots of standbys (from version 16 on) it is known only
 * that there are some, and only of standbys with a physical slot here and
 * hot_standby_feedback: the oldest catalog row that they need is in the physical slot.
 *
 * There may be others who decode what we write: standbys without these, standbys whose
 * first feedback has not arrived, and slots that get another plugin than the one that
 * they were copied from.  So that nothing is missing there without a word, a transaction
 * that loads row groups says so in WAL, by a logical message.  Where such a transaction is
 * about to be given to an output plugin that may need the rows, this library raises an
 * error instead.  It comes to know of that as a function that decodes messages of
 * all kinds in place of PostgreSQL's, and the function that gives them to the plugin.
 * Nobody else gets to see these messages.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/rmgr.h"
#include "access/xact.h"
#include "access/xlog_internal.h"
#include "catalog/catalog.h"
#include "catalog/pg_publication.h"
#include "miscadmin.h"
#include "replication/decode.h"
#include "replication/logical.h"
#include "replication/message.h"
#include "replication/reorderbuffer.h"
#include "replication/slot.h"
#include "storage/lwlock.h"
#include "storage/spin.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "am/decoding.h"
#include "base/compat.h"
#include "base/settings.h"

/* The prefix of our messages. */
#define MESSAGE_PREFIX		"retldb row groups"

/* The output plugin that decodes what publications say. */
#define PUBLICATION_PLUGIN	"pgoutput"

static void (*previousDecode) (LogicalDecodingContext *ctx, XLogRecordBuffer *buf) = NULL;

/* PostgreSQL's own, which are the same in all decoding contexts */
static ReorderBufferMessageCB previousMessage = NULL;
static ReorderBufferStreamMessageCB previousStreamMessage = NULL;

/* ---------------------------------------------------------------------
 * Writing
 * ---------------------------------------------------------------------
 */

/*
 * Does a slot decode changes of this database for a plugin that need not know
 * publications, or does it tell of a standby that may have such a slot?
 */
static bool
SlotIgnoresPublications(ReplicationSlot *slot)
{
	Oid			database;
	NameData	plugin;
	TransactionId catalogXmin;

	SpinLockAcquire(&slot->mutex);
	database = slot->data.database;
	plugin = slot->data.plugin;
	catalogXmin = slot->data.catalog_xmin;
	SpinLockRelease(&slot->mutex);
	if (!OidIsValid(database))
		return retldb_standby_decoding == RETL_STANDBY_DECODING_AUTO &&
			TransactionIdIsValid(catalogXmin);
	/* (a new slot has no plugin for a moment) */
	return database == MyDatabaseId && strcmp(NameStr(plugin), PUBLICATION_PLUGIN) != 0;
}

/*
 * Is there such a slot?
 */
static bool
AnySlotIgnoresPublications(void)
{
	bool		found = false;

	LWLockAcquire(ReplicationSlotControlLock, LW_SHARED);
	for (int i = 0; i < max_replication_slots && !found; i++)
	{
		ReplicationSlot *slot = &ReplicationSlotCtl->replication_slots[i];

		found = slot->in_use && SlotIgnoresPublications(slot);
	}
	LWLockRelease(ReplicationSlotControlLock);
	return found;
}

/*
 * Might rows of a table be decoded at all?  Those of rewritten tables are not.
 */
static bool
IsDecodable(Relation rel)
{
	return RelationIsLogicallyLogged(rel) && !OidIsValid(rel->rd_rel->relrewrite);
}

/*
 * See decoding.h.
 *
 * We have a transaction id before we look: whoever makes a slot later waits for
 * the end of our transaction before it decodes or copies anything, so what we did
 * not see need not have our rows.  (Publications may have come since the table was
 * locked, so take notice of them now.)
 */
bool
RetlInsertsAreDecoded(Relation rel)
{
	PublicationDesc description;

	if (!IsDecodable(rel))
		return false;
	if (retldb_standby_decoding == RETL_STANDBY_DECODING_ON)
		return true;
	(void) GetCurrentTransactionId();
	AcceptInvalidationMessages();
	RelationBuildPublicationDesc(rel, &description);
	return description.pubactions.pubinsert || AnySlotIgnoresPublications();
}

/* See decoding.h. */
void
RetlLogUndecodedLoad(Relation rel)
{
	char	   *table;

	if (!IsDecodable(rel) || retldb_standby_decoding == RETL_STANDBY_DECODING_OFF)
		return;
	table = quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
									   RelationGetRelationName(rel));
	(void) RetlLogTransactionMessage(MESSAGE_PREFIX, table, strlen(table));
	pfree(table);
}

/* ---------------------------------------------------------------------
 * Decoding
 * ---------------------------------------------------------------------
 */

/*
 * A message of ours has been decoded, of a transaction that is about to be given to the
 * plugin.
 */
static void
MeetUndecodedLoad(LogicalDecodingContext *ctx, ReorderBufferTXN *txn, const char *table,
				  Size length)
{
	const char *slot = NameStr(ctx->slot->data.name);

	if (strcmp(NameStr(ctx->slot->data.plugin), PUBLICATION_PLUGIN) == 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("rows of table %.*s are missing in the changes of transaction %u for replication slot \"%s\"",
					(int) length, table, txn->xid, slot),
			 errdetail("They were loaded into row groups, which are not decoded, because the server did not know of the slot."),
			 XLogRecPtrIsInvalid(txn->end_lsn) ?
			 errhint("See retldb.standby_decoding.  Make the slot again, or go on behind the transaction and copy the table.") :
			 errhint("See retldb.standby_decoding.  Make the slot again, or go on behind the transaction, at %X/%X (pg_replication_slot_advance), and copy the table.",
					 LSN_FORMAT_ARGS(txn->end_lsn))));
}

/* ReorderBufferMessageCB */
static void
GiveMessage(ReorderBuffer *rb, ReorderBufferTXN *txn, XLogRecPtr lsn, bool transactional,
			const char *prefix, Size size, const char *message)
{
	if (txn != NULL && strcmp(prefix, MESSAGE_PREFIX) == 0)
		MeetUndecodedLoad(rb->private_data, txn, message, size);
	else
		previousMessage(rb, txn, lsn, transactional, prefix, size, message);
}

/* ReorderBufferStreamMessageCB: the same for a transaction that is in progress. */
static void
StreamMessage(ReorderBuffer *rb, ReorderBufferTXN *txn, XLogRecPtr lsn, bool transactional,
			  const char *prefix, Size size, const char *message)
{
	if (txn != NULL && strcmp(prefix, MESSAGE_PREFIX) == 0)
		MeetUndecodedLoad(rb->private_data, txn, message, size);
	else
		previousStreamMessage(rb, txn, lsn, transactional, prefix, size, message);
}

/*
 * A logical message is decoded: see to it that we are asked before it gets to the plugin.
 */
static void
DecodeMessage(LogicalDecodingContext *ctx, XLogRecordBuffer *buf)
{
	ReorderBuffer *rb = ctx->reorder;

	if (rb->message != GiveMessage)
	{
		previousMessage = rb->message;
		previousStreamMessage = rb->stream_message;
		rb->message = GiveMessage;
		rb->stream_message = StreamMessage;
	}
	previousDecode(ctx, buf);
}

/* See decoding.h. */
void
RetlInstallDecoding(void)
{
	previousDecode = RmgrTable[RM_LOGICALMSG_ID].rm_decode;
	RmgrTable[RM_LOGICALMSG_ID].rm_decode = DecodeMessage;
}
