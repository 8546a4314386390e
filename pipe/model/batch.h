// SPDX-License-Identifier: Apache-2.0
// Batch: consecutive events of one source in their canonical bytes, with the hash over them. Immutable,
// self-contained.
//
// Format and golden hex: doc/batch_format.md. The canonical bytes are what is hashed, chained, compared and,
// inside a container, stored and sent. Everything that builds or reads them goes through this header.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/result.h"

namespace tidegate {

enum class EventKind : std::uint8_t {
  kRows = 1,
  kDeletion = 2,
  kSchema = 3,
  kOpaque = 4,
  kFile = 5,
  kPiece = 6,
  kGap = 7,
  kFork = 8,
  kStatistics = 9
};
enum class TimeUnit : std::uint8_t { kSecond = 0, kMillisecond = 1, kMicrosecond = 2, kNanosecond = 3 };
enum class ValueType : std::uint8_t {
  kBool = 1,
  kInt32 = 2,
  kInt64 = 3,
  kUint64 = 4,
  kFloat = 5,
  kDouble = 6,
  kText = 7,
  kBlob = 8,
  kDate = 9,
  kTimestamp = 10
};
enum class Addressing : std::uint8_t { kTree = 0, kTable = 1 };
enum class ColumnRole : std::uint8_t { kField = 0, kAttribute = 1 };
enum class Presence : std::uint8_t { kValue = 0, kNull = 1, kAbsent = 2 };
// Nanoseconds since the epoch; saturates. For display and retention, never for data.
std::int64_t to_nanos(std::int64_t time, TimeUnit unit);
constexpr std::uint8_t kFlagByPipeProtocol = 1;  // first entered by a pipe protocol

// One value. Strings and blobs are views: valid as long as what they were read from.
struct ValueView {
  ValueType type = ValueType::kDouble;
  Presence presence = Presence::kValue;
  union {
    bool b;
    std::int32_t i32;  // kInt32, kDate (yyyymmdd)
    std::int64_t i64;  // kInt64, kTimestamp
    std::uint64_t u64;
    float f32;
    double f64 = 0;
  };
  std::string_view text;  // kText, kBlob
};

struct TagView {
  std::string_view key;
  std::string_view value;
};

struct FieldView {
  std::string_view name;
  ColumnRole role = ColumnRole::kField;
  ValueView value;
};

// One row as a source hands it over and as a sink gets it.
struct RowView {
  Addressing addressing = Addressing::kTable;
  std::string_view database;
  std::string_view table;             // kTable
  std::string_view device;            // kTree
  std::span<const TagView> tags;      // kTable: ascending by key, each key once
  std::span<const FieldView> fields;  // any order; each (name, type, role) once
  std::int64_t time = 0;              // in the batch's unit
};

// What the header and the body say without looking at values.
struct BatchSummary {
  EventKind kind = EventKind::kRows;
  TimeUnit unit = TimeUnit::kSecond;
  std::uint8_t flags = 0;
  std::uint64_t events = 0;   // rows for kRows, list items else
  std::uint64_t values = 0;   // values that are there (kRows), else 0
  std::int64_t time_min = 0;  // both 0 where no time stands
  std::int64_t time_max = 0;
};

struct Batch {
  Bytes canonical;
  Hash128 hash;  // xxh3_128(canonical)
  BatchSummary summary;
};

// Collects rows of one source and makes one canonical batch of them. Rows of a series keep their order of
// arrival. Reusable after build(): keeps its memory. One thread at a time. Cost per value: see bench/.
class BatchBuilder {
 public:
  BatchBuilder(std::string source, TimeUnit unit, std::uint8_t flags = 0);
  ~BatchBuilder();
  BatchBuilder(BatchBuilder&&) noexcept;
  BatchBuilder& operator=(BatchBuilder&&) noexcept;

  // kInvalidArgument for a row that the canonical form cannot hold (tags not ascending, field twice, no
  // field), kTooLarge when the batch would pass 2 GiB. A field marked absent is as if it were not listed.
  // After an error the builder is unchanged.
  Status add(const RowView& row);
  std::size_t rows() const;
  std::size_t approximate_bytes() const;  // of the canonical form, cheap
  bool empty() const { return rows() == 0; }
  // The batch of everything added since the last build(). Precondition: !empty().
  Batch build();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// ---- other kinds; each is one event per list item
// -------------------------------------------------------------------

struct Deletion {
  std::vector<std::string> patterns;
  std::int64_t from = 0, to = 0;
};  // both ends inclusive
struct Opaque {
  std::string protocol;
  Bytes body;
};  // kSchema and kOpaque
struct FileEvent {
  std::string name;
  std::uint64_t size = 0;
  Sha256 hash{};
  std::vector<std::pair<std::string, std::string>> attributes;
};
struct Piece {
  Sha256 file{};
  std::uint64_t offset = 0;
  Bytes bytes;
};
struct GapEvent {
  std::uint8_t reason = 0;
  std::uint64_t from = 0, to = 0, events = 0;
  std::int64_t time_min = 0, time_max = 0;
};
struct ForkEvent {
  Id journal;
  std::uint16_t stream = 0;
  std::uint32_t generation = 0;
  std::uint64_t base = 0, old_last = 0;
};
using Statistic = std::pair<std::string, std::string>;

// In kinds that hold no times (3, 4, 5, 6, 8, 9) the unit is written as 0, whatever the head says.
struct BatchHead {
  TimeUnit unit = TimeUnit::kSecond;
  std::uint8_t flags = 0;
  std::string source;
};
Batch make_batch(const BatchHead& head, const std::vector<Deletion>& events);
Batch make_batch(const BatchHead& head, EventKind kind,
                 const std::vector<Opaque>& events);  // kSchema or kOpaque
Batch make_batch(const BatchHead& head, const std::vector<FileEvent>& events);
Batch make_batch(const BatchHead& head, const std::vector<Piece>& events);
Batch make_batch(const BatchHead& head, const std::vector<GapEvent>& events);
Batch make_batch(const BatchHead& head, const std::vector<ForkEvent>& events);
Batch make_batch(const BatchHead& head, const std::vector<Statistic>& events);

// ---- reading
// ----------------------------------------------------------------------------------------------------------

// Parses and fully validates canonical bytes: kNotCanonical where the order or a redundancy rule is broken,
// kMalformed where they cannot be read, kUnsupported for another version. An unknown kind is not an error:
// summarize() gives kind and zeros. Never allocates more than a small multiple of the input.
Result<BatchSummary> summarize(ByteView canonical);
Result<BatchHead> read_head(ByteView canonical, EventKind* kind);
// Calls `row` for every row, series by series; fields ascend by (name, type, role), absent ones are not
// listed. Views are valid during the call. The callback returns false to stop. It checks as it goes: rows in
// front of an error were given.
Status for_each_row(ByteView canonical, const std::function<bool(const RowView&)>& row);
Result<std::vector<Deletion>> read_deletions(ByteView canonical);
Result<std::vector<Opaque>> read_opaque(ByteView canonical);  // kSchema, kOpaque
Result<std::vector<FileEvent>> read_files(ByteView canonical);
Result<std::vector<Piece>> read_pieces(ByteView canonical);
Result<std::vector<GapEvent>> read_gaps(ByteView canonical);
Result<std::vector<ForkEvent>> read_forks(ByteView canonical);
Result<std::vector<Statistic>> read_statistics(ByteView canonical);
// Takes any bytes whose hash is already known to be right and makes a Batch of them (summary of an unknown
// kind: zeros).
Result<Batch> adopt_batch(Bytes canonical);

}  // namespace tidegate
