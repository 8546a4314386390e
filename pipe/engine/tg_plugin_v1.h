// SPDX-License-Identifier: Apache-2.0
/* tg_plugin_v1: the interface between Tidegate and a plugin, in C11. Needs nothing but this file.
 *
 * A plugin is a shared object that exports one function, tg_plugin_v1(). It holds one processor or one
 * connector. Tidegate never loads it into a daemon: each pipe that uses it runs it in a process of its own
 * (tidegate-plugin-host). What throws, crashes or hangs there stops that pipe, with a message.
 * How to build and install one: doc/plugins.md.
 *
 * Threads. The host calls all functions of an instance from one thread, one at a time. A plugin may have
 * threads of its own; of the host they may call log() only.
 * Ownership. Whoever makes memory frees it. All that the host hands over lives until the call returns; all
 * that is handed to the host is copied before that function returns. The exceptions: tg_host lives until
 * destroy() returns, what tg_plugin_v1() returns lives as long as the process.
 * Return codes. TG_OK, or a code that the function names; any other number counts as TG_FAILED. Say what
 * went wrong with set_message() first. A C++ exception that leaves a function is caught and counts as
 * TG_FAILED for good; other languages must not let a panic out.
 * Time. Each call has a time limit ('plugin.time-limit' of the pipe). Over it the process is killed.
 * Versions. A struct that may grow begins with struct_size, set to sizeof by whoever fills it; members are
 * only ever added at its end, and the reader looks no further than struct_size. The others never change.
 */
#ifndef TG_PLUGIN_V1_H
#define TG_PLUGIN_V1_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TG_ABI_VERSION 1u
#define TG_EXPORT __attribute__((visibility("default")))

typedef int32_t tg_status;
enum {
  TG_OK = 0,
  TG_FAILED = 1, /* stops the pipe; an operator has to look */
  TG_RETRY = 2   /* connectors: not now; the host calls open() again after a while */
};

/* Text: bytes, UTF-8 by custom, not checked, not ended by a zero. `data` may be null when size is 0. */
typedef struct tg_str {
  const char* data;
  size_t size;
} tg_str;

typedef struct tg_bytes {
  const uint8_t* data;
  size_t size;
} tg_bytes;

/* ---- a batch: consecutive events of one source */

/* tg_batch.kind. Numbers that are not listed may come too. */
enum {
  TG_KIND_ROWS = 1,
  TG_KIND_DELETION = 2,
  TG_KIND_SCHEMA = 3,
  TG_KIND_OPAQUE = 4, /* a request carried as it is */
  TG_KIND_FILE = 5,
  TG_KIND_PIECE = 6, /* of a file */
  TG_KIND_GAP = 7,   /* something was lost before it came here */
  TG_KIND_FORK = 8,
  TG_KIND_STATISTICS = 9
};

enum { TG_UNIT_SECOND = 0, TG_UNIT_MILLISECOND = 1, TG_UNIT_MICROSECOND = 2, TG_UNIT_NANOSECOND = 3 };

enum { TG_TREE = 0, TG_TABLE = 1 };

enum { TG_ROLE_FIELD = 0, TG_ROLE_ATTRIBUTE = 1 };

/* tg_column.type: what tg_column.values points to */
enum {
  TG_TYPE_BOOL = 1,      /* uint8_t, 0 or 1 */
  TG_TYPE_INT32 = 2,     /* int32_t */
  TG_TYPE_INT64 = 3,     /* int64_t */
  TG_TYPE_UINT64 = 4,    /* uint64_t */
  TG_TYPE_FLOAT = 5,     /* float */
  TG_TYPE_DOUBLE = 6,    /* double */
  TG_TYPE_TEXT = 7,      /* tg_str */
  TG_TYPE_BLOB = 8,      /* tg_str */
  TG_TYPE_DATE = 9,      /* int32_t, yyyymmdd */
  TG_TYPE_TIMESTAMP = 10 /* int64_t, in the unit that the source uses */
};

enum { TG_VALUE = 0, TG_NULL = 1, TG_ABSENT = 2 }; /* null is written down as null; absent is not there */

typedef struct tg_tag {
  tg_str key;
  tg_str value;
} tg_tag;

typedef struct tg_column {
  tg_str name;
  uint32_t type;
  uint32_t role;
  const uint8_t* presence; /* TG_VALUE, TG_NULL or TG_ABSENT for each row; null: every row has a value */
  const void* values; /* one entry for each row, aligned; where there is no value it is zeros. On emit() it
                         may be null when no row has a value. */
} tg_column;

/* Rows of one series. The same name with two types is two columns. Rows stand in order of arrival, which need
   not be the order of their times. */
typedef struct tg_series {
  uint32_t addressing; /* TG_TREE: device. TG_TABLE: database, table, tags */
  uint32_t reserved;   /* 0 */
  tg_str database;
  tg_str table;
  tg_str device;
  const tg_tag* tags; /* ascending by key, byte by byte; each key once */
  size_t tag_count;
  size_t row_count;     /* at least 1 */
  const int64_t* times; /* one for each row, in the unit of the batch, since 1970 */
  const tg_column* columns;
  size_t column_count; /* at least 1 */
} tg_series;

typedef struct tg_batch {
  uint32_t struct_size;
  uint32_t kind;
  uint32_t unit;   /* of all times of the batch */
  uint32_t flags;  /* bit 0: first entered by a pipe protocol */
  uint64_t number; /* connectors: ascends from batch to batch, with holes. Processors: 0 */
  uint64_t events; /* rows, or events of another kind; 0 for a kind that this host does not know */
  tg_str source;
  const tg_series* series; /* TG_KIND_ROWS; a series stands once in a batch */
  size_t series_count;
  tg_bytes content; /* the whole batch as doc/batch_format.md has it, of every kind */
} tg_batch;

/* ---- what the host does for a plugin */

enum { TG_LOG_DEBUG = 0, TG_LOG_INFO = 1, TG_LOG_WARNING = 2, TG_LOG_ERROR = 3 };

typedef struct tg_dead_letter { /* one event that the target refuses for good */
  uint32_t struct_size;
  uint32_t batch; /* index into the batches of this deliver() */
  tg_str reason;  /* the target's own words */
  tg_str line;    /* the event, readable */
  tg_str target;  /* where it was to go; may be empty */
} tg_dead_letter;

typedef struct tg_host tg_host;
struct tg_host {
  uint32_t struct_size;
  uint32_t abi_version; /* TG_ABI_VERSION of the host */

  /* A line in the daemon's log. At any time, from any thread. Many lines at once are cut short there. */
  void (*log)(const tg_host* host, uint32_t level, tg_str text);
  /* Why the call under way fails, or (deliver() with TG_OK) what is set aside at present: for the status of
     the pipe. The last one counts. At most 4096 bytes are kept. */
  void (*set_message)(const tg_host* host, tg_str text);
  /* What the plugin has to remember: the answer of state(), or within deliver() what open() will get back. At
     most 64 MiB, over that TG_FAILED. */
  tg_status (*set_state)(const tg_host* host, tg_bytes state);
  /* process() only: rows that come out, into a batch with the source, unit and flags of the one that came in.
     A row in which all columns are absent is left out. TG_FAILED: the series is not sound, or too much came
     out of one batch; the message is set, process() must return TG_FAILED. */
  tg_status (*emit)(const tg_host* host, const tg_series* series);
  /* process() only: the batch that came in comes out, as it is, behind what was emitted before. */
  tg_status (*emit_input)(const tg_host* host);
  /* deliver() only, and it counts with TG_OK only. TG_FAILED: no such batch, or too many letters. */
  tg_status (*dead_letter)(const tg_host* host, const tg_dead_letter* letter);
  /* Not 0 when the pipe is to stop: a long deliver() returns TG_RETRY soon. Cheap. */
  int32_t (*stopping)(const tg_host* host);
};

/* ---- what a plugin is */

typedef struct tg_setting { /* an attribute of the pipe, checked against tg_attribute */
  tg_str name;              /* without 'processor.' or 'connector.', lower case */
  tg_str value;             /* as the operator wrote it */
} tg_setting;

/* Turns each batch into any rows. Deterministic: what comes out depends on the settings, the restored state
   and the batches since, never on a clock, on chance or on threads. After a crash the same batches are
   given again, and the same rows must come out; that is the author's duty, nobody else can see to it.
   restore() and state() are both there or both null: a processor that remembers nothing has neither. */
typedef struct tg_processor {
  uint32_t struct_size;
  uint32_t reserved; /* 0 */
  /* Makes the instance. TG_FAILED: the settings are refused; `self` is then ignored. */
  tg_status (*create)(const tg_host* host, const tg_setting* settings, size_t count, void** self);
  void (*destroy)(void* self); /* not called when the process is killed or the daemon dies */
  /* Says with set_message() what this is, for the status: no secrets. May be null. Once, after create(). */
  void (*describe)(void* self);
  /* Calls emit() and emit_input() any number of times; none: the batch is dropped. What it has no use for
     (other kinds than rows) it should let through with emit_input(). TG_FAILED: cannot be processed; no
     other call follows but destroy(). */
  tg_status (*process)(void* self, const tg_batch* batch);
  /* Hands all that later output depends on to set_state(). Called after create() and each process():
     keep it small. */
  tg_status (*state)(void* self);
  /* Takes the place of everything remembered. TG_FAILED: not a state of this plugin with these settings. */
  tg_status (*restore)(void* self, tg_bytes state);
} tg_processor;

typedef struct tg_delivery { /* filled by the host, changed by deliver() */
  uint32_t struct_size;
  uint32_t reserved;
  uint64_t written_events; /* comes in as all events; take off what is skipped or set aside */
  uint64_t skipped_events; /* comes in as 0: events that are no data for this target */
  uint64_t retry_after_ns; /* comes in as 0. TG_RETRY: how long to wait; 0: the host decides */
} tg_delivery;

/* Brings batches to a target, in order, each at least once. Position and state are stored together after
   deliver() returned TG_OK; a state is durable before the next call. */
typedef struct tg_connector {
  uint32_t struct_size;
  uint32_t reserved; /* 0 */
  tg_status (*create)(const tg_host* host, const tg_setting* settings, size_t count, void** self);
  void (*destroy)(void* self); /* not called when the process is killed or the daemon dies */
  /* Says with set_message() what this is, for the status: no secrets. May be null. Once, after create(). */
  void (*describe)(void* self);
  /* Before the first deliver(), and again after each TG_RETRY. `position`: number of the last batch that
     counts as delivered, 0: none. `state`: what was stored with it. What the target got behind it should
     be taken back where that is possible: it comes again. TG_RETRY, TG_FAILED. */
  tg_status (*open)(void* self, uint64_t position, tg_bytes state);
  /* Returns TG_OK when all batches are durable at the target, but for dead letters. TG_RETRY: nothing or an
     unknown part got there, the same batches come again. TG_FAILED: only an operator can help. */
  tg_status (*deliver)(void* self, const tg_batch* const* batches, size_t count, tg_delivery* result);
  void (*close)(void* self); /* a clean stop, before destroy(); may be null */
} tg_connector;

/* tg_attribute.type: what is checked before create() */
enum {
  TG_ATTR_TEXT = 0,
  TG_ATTR_BOOL = 1,     /* true, false */
  TG_ATTR_INTEGER = 2,  /* min..max */
  TG_ATTR_NUMBER = 3,   /* finite, min..max */
  TG_ATTR_CHOICE = 4,   /* one of choices, case does not matter */
  TG_ATTR_TIME = 5,     /* an integer in the unit of the data, or a date */
  TG_ATTR_DURATION = 6, /* 10s, 5min, 250ms; a bare number counts seconds; min..max in nanoseconds */
  TG_ATTR_BYTES = 7     /* 4096, 64KiB, 2GiB */
};

typedef struct tg_attribute {
  uint32_t struct_size;
  uint32_t type;
  const char* name;          /* lower case, [a-z0-9._-]; 'plugin.' is kept for the host */
  const char* default_value; /* for show; null: none. The plugin itself applies it. */
  const char* description;   /* one line; may be null */
  uint8_t required;
  uint8_t secret; /* masked wherever it is shown */
  uint8_t reserved[6];
  int64_t min, max;           /* both 0: no limits */
  const char* const* choices; /* ended by a null; TG_ATTR_CHOICE only, else null */
} tg_attribute;

enum { TG_PROCESSOR = 1, TG_CONNECTOR = 2 };

typedef struct tg_plugin {
  uint32_t struct_size;
  uint32_t abi_version; /* TG_ABI_VERSION that the plugin was compiled with */
  uint32_t kind;
  uint32_t attribute_count; /* at most 256 */
  const char* name;         /* 1 to 64 of [a-z0-9-]; by custom it ends in -processor or -connector */
  const char* version;      /* the plugin's own */
  const char* description;  /* one line */
  const tg_attribute* const* attributes; /* may be null when there are none */
  const tg_processor* processor;         /* TG_PROCESSOR, else null */
  const tg_connector* connector;         /* TG_CONNECTOR, else null */
} tg_plugin;

/* The one function that a plugin exports. Quick, and without effects: it is also called only to ask. */
TG_EXPORT const tg_plugin* tg_plugin_v1(void);

/* ---- small helpers */

static inline int tg_has_value(const tg_column* column, size_t row) {
  return !column->presence || column->presence[row] == TG_VALUE;
}

#ifdef __cplusplus
}
#endif

#endif
