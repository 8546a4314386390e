// SPDX-License-Identifier: Apache-2.0
/* Example of a connector in C: a line per event into a file, exactly once.
 *
 *   WITH CONNECTOR ('connector' = 'lines-connector', 'connector.file' = '/var/lib/tidegate/events.txt')
 *
 * How it gets each line exactly once: the state that it hands over after each delivery is the length of the
 * file. Tidegate stores it together with the position. What a crash left behind that length comes again, so
 * open() cuts it off. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pipe/engine/tg_plugin_v1.h"

typedef struct lines {
  const tg_host* host;
  char* path;
  FILE* file;
} lines;

static void say(const lines* self, const char* what, int number) {
  char text[512];
  const int size = snprintf(text, sizeof(text), "%.300s: %s: %s", self->path, what, strerror(number));
  self->host->set_message(self->host, (tg_str){text, (size_t)size});
}

static void destroy(void* instance) {
  lines* self = instance;
  if (self->file != NULL) fclose(self->file);
  free(self->path);
  free(self);
}

static tg_status create(const tg_host* host, const tg_setting* settings, size_t count, void** instance) {
  lines* self = calloc(1, sizeof(*self));
  if (self == NULL) return TG_FAILED;
  self->host = host;
  for (size_t i = 0; i < count; ++i) {
    const tg_setting* setting = &settings[i];
    if (setting->name.size == 4 && memcmp(setting->name.data, "file", 4) == 0) {
      self->path = calloc(1, setting->value.size + 1);
      if (self->path != NULL) memcpy(self->path, setting->value.data, setting->value.size);
    }
  }
  if (self->path == NULL) {
    destroy(self);
    return TG_FAILED;
  }
  *instance = self;
  return TG_OK;
}

static void describe(void* instance) {
  const lines* self = instance;
  self->host->set_message(self->host, (tg_str){self->path, strlen(self->path)});
}

/* The name of a new file is durable when its folder is synced. */
static int sync_folder(const lines* self) {
  const char* slash = strrchr(self->path, '/');
  const size_t size = slash == NULL ? 0 : (size_t)(slash - self->path) + 1;
  char* folder = calloc(1, size + 2);
  if (folder == NULL) return -1;
  memcpy(folder, size == 0 ? "." : self->path, size == 0 ? 1 : size);
  const int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  free(folder);
  if (fd < 0) return -1;
  const int synced = fsync(fd);
  close(fd);
  return synced;
}

static tg_status open_file(void* instance, uint64_t position, tg_bytes state) {
  lines* self = instance;
  uint64_t length = 0;
  if (state.size == sizeof(length)) memcpy(&length, state.data, sizeof(length));
  if (position == 0) length = 0;
  if (self->file != NULL) fclose(self->file);
  self->file = fopen(self->path, "ab");
  if (self->file == NULL) return say(self, "cannot be opened", errno), TG_RETRY;
  if (ftruncate(fileno(self->file), (off_t)length) != 0) return say(self, "cannot be cut", errno), TG_RETRY;
  if (sync_folder(self) != 0) return say(self, "its folder cannot be synced", errno), TG_RETRY;
  return TG_OK;
}

static void write_value(FILE* out, const tg_column* column, size_t row) {
  if (!tg_has_value(column, row)) {
    fputs("null", out);
    return;
  }
  switch (column->type) {
    case TG_TYPE_BOOL:
      fputs(((const uint8_t*)column->values)[row] != 0 ? "true" : "false", out);
      return;
    case TG_TYPE_INT32:
    case TG_TYPE_DATE:
      fprintf(out, "%" PRId32, ((const int32_t*)column->values)[row]);
      return;
    case TG_TYPE_INT64:
    case TG_TYPE_TIMESTAMP:
      fprintf(out, "%" PRId64, ((const int64_t*)column->values)[row]);
      return;
    case TG_TYPE_UINT64:
      fprintf(out, "%" PRIu64, ((const uint64_t*)column->values)[row]);
      return;
    case TG_TYPE_FLOAT:
      fprintf(out, "%.9g", (double)((const float*)column->values)[row]);
      return;
    case TG_TYPE_DOUBLE:
      fprintf(out, "%.17g", ((const double*)column->values)[row]);
      return;
    default: {
      const tg_str text = ((const tg_str*)column->values)[row];
      fwrite(text.data, 1, text.size, out);
    }
  }
}

static void write_row(FILE* out, const tg_series* series, size_t row) {
  const tg_str table = series->addressing == TG_TREE ? series->device : series->table;
  fwrite(table.data, 1, table.size, out);
  for (size_t i = 0; i < series->tag_count; ++i) {
    const tg_tag* tag = &series->tags[i];
    fprintf(out, ",%.*s=%.*s", (int)tag->key.size, tag->key.data, (int)tag->value.size, tag->value.data);
  }
  fprintf(out, " %" PRId64, series->times[row]);
  for (size_t i = 0; i < series->column_count; ++i) {
    const tg_column* column = &series->columns[i];
    if (column->presence != NULL && column->presence[row] == TG_ABSENT) continue;
    fprintf(out, " %.*s=", (int)column->name.size, column->name.data);
    write_value(out, column, row);
  }
  fputc('\n', out);
}

static void write_batch(lines* self, const tg_batch* batch, tg_delivery* result) {
  if (batch->kind != TG_KIND_ROWS) { /* no data for this target: counted, not hidden */
    result->written_events -= batch->events;
    result->skipped_events += batch->events;
    return;
  }
  for (size_t i = 0; i < batch->series_count; ++i) {
    for (size_t row = 0; row < batch->series[i].row_count; ++row)
      write_row(self->file, &batch->series[i], row);
  }
}

static tg_status deliver(void* instance, const tg_batch* const* batches, size_t count, tg_delivery* result) {
  lines* self = instance;
  for (size_t i = 0; i < count; ++i) write_batch(self, batches[i], result);
  /* TG_OK says: durable at the target. */
  if (fflush(self->file) != 0 || ferror(self->file) || fsync(fileno(self->file)) != 0)
    return say(self, "cannot be written", errno), TG_RETRY;
  const off_t end = lseek(fileno(self->file), 0, SEEK_END);
  if (end < 0) return say(self, "has no length", errno), TG_RETRY;
  const uint64_t length = (uint64_t)end;
  return self->host->set_state(self->host, (tg_bytes){(const uint8_t*)&length, sizeof(length)});
}

static const tg_attribute file_attribute = {
    .struct_size = sizeof(tg_attribute),
    .type = TG_ATTR_TEXT,
    .name = "file",
    .description = "path of the file that gets the lines",
    .required = 1,
};
static const tg_attribute* const attributes[] = {&file_attribute};
static const tg_connector connector = {
    .struct_size = sizeof(tg_connector),
    .create = create,
    .destroy = destroy,
    .describe = describe,
    .open = open_file,
    .deliver = deliver,
};
static const tg_plugin plugin = {
    .struct_size = sizeof(tg_plugin),
    .abi_version = TG_ABI_VERSION,
    .kind = TG_CONNECTOR,
    .attribute_count = 1,
    .name = "lines-connector",
    .version = "1.0",
    .description = "a line per event into a file",
    .attributes = attributes,
    .connector = &connector,
};

const tg_plugin* tg_plugin_v1(void) {
  return &plugin;
}
