// SPDX-License-Identifier: Apache-2.0
// FileSink: writes batches to files of a folder, each event exactly once and in order, whatever is killed
// when.
//
//   <directory>/<name>-<first LSN>.lp.part          being written
//   <directory>/<name>-<first LSN>-<last LSN>.lp    closed: complete, never touched again (".csv" likewise)
// LSNs have at least 12 digits, so names sort in order. A reader takes closed files only.
//
// How a crash leaves nothing torn or doubled: a delivery ends with fsync and returns as state how long the
// part file is and which files are complete. The engine makes that durable with the position. A file gets its
// final name only in the call after, so a file that was closed by a delivery that does not count is still a
// part file and is cut like any other by open(). A final name that is taken (by another life of the pipe) is
// never overwritten: the new file gets ".2" and so on before its extension.
//
// Formats and the place of events that are not rows: README.md. Rotation by size and by age: a
// clock set forwards or back does not move it, only the age of a part file from an earlier life is told by
// the wall clock.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/env.h"
#include "pipe/connect/file/file_state.h"
#include "pipe/connect/file/formatter.h"
#include "pipe/connect/gather_options.h"
#include "pipe/engine/connector.h"

namespace tidegate {

struct FileSinkOptions {
  std::string directory;
  std::string name = "tidegate";  // see pipe_name.h; one sink per directory and name
  FileFormat format = FileFormat::kLineProtocol;
  std::uint64_t rotate_bytes = 256ULL << 20;
  Nanos rotate_interval = 3600 * kSecond;  // 0: never by age
  LineMappingOptions mapping;              // kLineProtocol
  GatherOptions gather;
  bool operator==(const FileSinkOptions&) const = default;
};

class FileSink final : public Connector {
 public:
  FileSink(Env env, FileSinkOptions options);
  ~FileSink() override;

  std::string describe() const override;
  Status open(Lsn position, ByteView state) override;
  DeliverResult deliver(const std::vector<DeliverableBatch>& batches,
                        const std::function<bool()>& stop) override;
  Nanos wake_at() const override;
  std::size_t preferred_bytes() const override { return options_.gather.bytes; }
  Nanos gather_delay() const override { return options_.gather.delay; }
  void close() override;

 private:
  std::string part_name(Lsn first) const;
  std::string path(const std::string& name) const { return options_.directory + "/" + name; }
  std::string free_path(const std::string& stem, const std::string& extension) const;
  std::string free_final_path(const ClosedFile& file) const;
  Status check_options() const;
  Status remove_strays(bool known_state);
  Status cut_part();
  Status cut(const std::string& path, std::uint64_t length, bool* missing);
  Status name_closed();
  Status write(const std::vector<DeliverableBatch>& batches, DeliverResult* result);
  Status add(const DeliverableBatch& batch, DeliverResult* result);
  Status begin_part(Lsn first);
  Status flush();
  Status sync_part();
  Status close_part();
  Nanos rotation_of_old_part() const;

  Env env_;
  FileSinkOptions options_;
  std::unique_ptr<Formatter> formatter_;
  std::unique_ptr<FileLock> lock_;
  FileSinkState state_;
  std::unique_ptr<File> file_;   // of state_.part
  Nanos rotate_at_ = INT64_MAX;  // of state_.part, monotonic; INT64_MAX: never by age
  bool new_name_ = false;        // the folder must be synced for it
  bool unsynced_ = false;        // something was written since the last sync
  bool opened_before_ = false;
  std::string pending_;  // formatted, belongs behind state_.part->length
};

}  // namespace tidegate
