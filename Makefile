# retldb: columnar tables for PostgreSQL
#
#   make                     build
#   make install             install into the server that pg_config names
#   make installcheck        pg_regress, isolation and TAP tests on a running server
#   make unit fuzz-replay    tests of the pure C layers, no server needed
#   make dist                an archive for PGXN
#
# Variables: PG_CONFIG, CC, WERROR=1 (warnings are errors), COVERAGE=1 (gcov).
# test/run runs everything, on private clusters.
#
# Also builds in another directory: make -f .../retldb/Makefile

EXTENSION = retldb
MODULE_big = retldb
PGFILEDESC = "retldb - columnar tables"
# where the sources are; PGXS finds it, too, but later than it is needed here
SOURCES := $(patsubst %/,%,$(dir $(firstword $(MAKEFILE_LIST))))
DATA = $(patsubst $(SOURCES)/%,%,$(wildcard $(SOURCES)/sql/retldb--*.sql))
OBJS := $(patsubst $(SOURCES)/%.c,%.o,$(sort $(wildcard $(SOURCES)/src/*/*.c)))
ifneq ($(SOURCES),.)
$(shell mkdir -p $(sort $(dir $(OBJS))))
endif

REGRESS = setup basics loading own_rows slots tables unsupported types decimals wide \
	skipping columnar_scan row_store_filter physical_access parallel_scan vacuum_space bare_pages vacuum_full estimates runtime_filters vector_reading vector_cache blooms options \
	order_by compaction compaction_rows retired_stubs row_operations bulk_changes group_delete init_plans suppress_noop upserts upsert_effects row_rules combinations index_build ddl_columns ddl_tables ddl_indexes convert bitmap_scans vacuum_index index_keys single_rows inspection verify cleanup
ISOLATION = recheck bulk_changes upserts upsert_order upsert_parts index_scans suppress_noop loaders readers rollback truncate prepared serializable serializable_loading serializable_scans read_rows vacuum row_counts vacuum_full \
	compaction moved_rows moved_groups moved_deleted moved_keys moved_conflicts old_snapshots retired_stubs retired_moved rule_snapshots sorted_snapshots group_delete group_delete_retired row_operations lock_strength carried_locks index_build keys
ISOLATION_OPTS = --inputdir=$(SOURCES)/test/isolation --load-extension=retldb
TAP_TESTS = 1
PROVE_TESTS = test/t/*.pl

PG_CPPFLAGS = -I$(SOURCES)/src
PG_CFLAGS = -Wextra -Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers
SHLIB_LINK = -llz4 -lsnappy -lzstd

EXTRA_CLEAN = $(OBJS:.o=.d) $(OBJS:.o=.gcno) $(OBJS:.o=.gcda) \
	tmp_check output_iso

# PostgreSQL's own flags are gcc's; clang does not know all of them.
ifneq (,$(findstring clang,$(CC)))
PG_CFLAGS += -Wno-unknown-warning-option -Wno-ignored-optimization-argument \
	-Wno-ignored-attributes
endif
ifdef WERROR
PG_CFLAGS += -Werror
endif
ifdef COVERAGE
PG_CFLAGS += -O1 --coverage
SHLIB_LINK += --coverage
endif

# Object files follow their headers.
PG_CFLAGS += -MMD -MP

# No bitcode: nothing here is worth inlining into JIT-compiled expressions.
override with_llvm = no

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

# Inner loops over values gain from it, the rest does not.
ifndef COVERAGE
src/encoding/%.o src/vector/%.o src/rowgroup/zone_builder.o src/storage/stub_map.o: override CFLAGS += -O3
endif

-include $(OBJS:.o=.d)

.PHONY: unit fuzz-replay dist

unit:
	$(MAKE) -C $(SOURCES)/test/unit check

fuzz-replay:
	$(MAKE) -C $(SOURCES)/test/fuzz replay

# what PGXN takes
dist: VERSION = $(shell sed -n 's/^   "version": "\(.*\)",/\1/p' META.json)
dist:
	git archive --format=zip --prefix=retldb-$(VERSION)/ --output=retldb-$(VERSION).zip HEAD
