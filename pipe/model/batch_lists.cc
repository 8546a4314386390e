// SPDX-License-Identifier: Apache-2.0
// The kinds 2 to 9: a body is a list of events, each written field by field. For every kind one `put` and one
// `get`.
#include <algorithm>
#include <cassert>
#include <string>
#include <type_traits>

#include "pipe/model/canonical.h"

namespace tidegate {
namespace {

// How one event is written and read. kLeast is the smallest size of one: it bounds what a count can make us
// allocate. `skip` stands where the bytes of an event are many and a summary does not need them.
template <class Event>
struct Format;

template <>
struct Format<Deletion> {
  static constexpr std::size_t kLeast = 4 + 8 + 8;
  static void put(ByteWriter& writer, const Deletion& event) {
    writer.u32(static_cast<std::uint32_t>(event.patterns.size()));
    for (const std::string& pattern : event.patterns) writer.str32(pattern);
    writer.i64(event.from);
    writer.i64(event.to);
  }
  static void get(ByteReader& reader, Deletion* event) {
    const std::uint32_t count = reader.count32(4);
    event->patterns.reserve(count);
    for (std::uint32_t i = 0; i < count && reader.ok(); ++i) event->patterns.emplace_back(reader.str32());
    event->from = reader.i64();
    event->to = reader.i64();
  }
};

template <>
struct Format<Opaque> {
  static constexpr std::size_t kLeast = 4 + 4;
  static void put(ByteWriter& writer, const Opaque& event) {
    writer.str32(event.protocol);
    writer.bytes32(event.body);
  }
  static void get(ByteReader& reader, Opaque* event) {
    event->protocol = reader.str32();
    event->body = to_bytes(reader.bytes32());
  }
  static void skip(ByteReader& reader) {
    reader.bytes32();
    reader.bytes32();
  }
};

Sha256 read_sha256(ByteReader& reader) {
  Sha256 out{};
  const ByteView view = reader.bytes(out.size());
  std::copy(view.begin(), view.end(), out.begin());
  return out;
}

template <>
struct Format<FileEvent> {
  static constexpr std::size_t kLeast = 4 + 8 + 32 + 4;
  static void put(ByteWriter& writer, const FileEvent& event) {
    writer.str32(event.name);
    writer.u64(event.size);
    writer.bytes(event.hash);
    writer.u32(static_cast<std::uint32_t>(event.attributes.size()));
    for (const auto& [key, value] : event.attributes) {
      writer.str32(key);
      writer.str32(value);
    }
  }
  static void get(ByteReader& reader, FileEvent* event) {
    event->name = reader.str32();
    event->size = reader.u64();
    event->hash = read_sha256(reader);
    const std::uint32_t count = reader.count32(4 + 4);
    event->attributes.reserve(count);
    for (std::uint32_t i = 0; i < count && reader.ok(); ++i) {
      std::string key(reader.str32());
      event->attributes.emplace_back(std::move(key), reader.str32());
    }
  }
};

template <>
struct Format<Piece> {
  static constexpr std::size_t kLeast = 32 + 8 + 4;
  static void put(ByteWriter& writer, const Piece& event) {
    writer.bytes(event.file);
    writer.u64(event.offset);
    writer.bytes32(event.bytes);
  }
  static void get(ByteReader& reader, Piece* event) {
    event->file = read_sha256(reader);
    event->offset = reader.u64();
    event->bytes = to_bytes(reader.bytes32());
  }
  static void skip(ByteReader& reader) {
    reader.bytes(32 + 8);
    reader.bytes32();
  }
};

template <>
struct Format<GapEvent> {
  static constexpr std::size_t kLeast = 1 + 5 * 8;
  static void put(ByteWriter& writer, const GapEvent& event) {
    writer.u8(event.reason);
    writer.u64(event.from);
    writer.u64(event.to);
    writer.u64(event.events);
    writer.i64(event.time_min);
    writer.i64(event.time_max);
  }
  static void get(ByteReader& reader, GapEvent* event) {
    event->reason = reader.u8();
    event->from = reader.u64();
    event->to = reader.u64();
    event->events = reader.u64();
    event->time_min = reader.i64();
    event->time_max = reader.i64();
  }
};

template <>
struct Format<ForkEvent> {
  static constexpr std::size_t kLeast = 16 + 2 + 4 + 8 + 8;
  static void put(ByteWriter& writer, const ForkEvent& event) {
    writer.bytes(event.journal.view());
    writer.u16(event.stream);
    writer.u32(event.generation);
    writer.u64(event.base);
    writer.u64(event.old_last);
  }
  static void get(ByteReader& reader, ForkEvent* event) {
    event->journal = read16(reader);
    event->stream = reader.u16();
    event->generation = reader.u32();
    event->base = reader.u64();
    event->old_last = reader.u64();
  }
};

template <>
struct Format<Statistic> {
  static constexpr std::size_t kLeast = 4 + 4;
  static void put(ByteWriter& writer, const Statistic& event) {
    writer.str32(event.first);
    writer.str32(event.second);
  }
  static void get(ByteReader& reader, Statistic* event) {
    event->first = reader.str32();
    event->second = reader.str32();
  }
};

// The event times of the kinds that hold any.
void widen(BatchSummary* summary, bool first, const Deletion& event) {
  summary->time_min = first ? event.from : std::min(summary->time_min, event.from);
  summary->time_max = first ? event.to : std::max(summary->time_max, event.to);
}
void widen(BatchSummary* summary, bool first, const GapEvent& event) {
  summary->time_min = first ? event.time_min : std::min(summary->time_min, event.time_min);
  summary->time_max = first ? event.time_max : std::max(summary->time_max, event.time_max);
}

template <class Event>
constexpr bool kHasTime = std::is_same_v<Event, Deletion> || std::is_same_v<Event, GapEvent>;

template <class Event>
Batch write_list(const BatchHead& head, EventKind kind, const std::vector<Event>& events) {
  Batch batch;
  ByteWriter writer(batch.canonical);
  canonical::write_head(writer, kind, head);
  writer.u32(static_cast<std::uint32_t>(events.size()));
  batch.summary.kind = kind;
  batch.summary.unit = kHasTime<Event> ? head.unit : TimeUnit::kSecond;
  batch.summary.flags = head.flags & kFlagByPipeProtocol;
  batch.summary.events = events.size();
  for (const Event& event : events) {
    Format<Event>::put(writer, event);
    if constexpr (kHasTime<Event>) widen(&batch.summary, &event == events.data(), event);
  }
  batch.hash = xxh3_128(batch.canonical);
  return batch;
}

template <class Event>
Status summarize_as(ByteReader& reader, BatchSummary* summary) {
  const std::uint32_t count = reader.count32(Format<Event>::kLeast);
  for (std::uint32_t i = 0; i < count && reader.ok(); ++i) {
    if constexpr (requires { Format<Event>::skip(reader); }) {
      Format<Event>::skip(reader);
    } else {
      Event event;
      Format<Event>::get(reader, &event);
      if constexpr (kHasTime<Event>) widen(summary, i == 0, event);
    }
  }
  summary->events = count;
  return canonical::check_end(reader);
}

template <class Event>
Result<std::vector<Event>> read_list(ByteView bytes, EventKind kind, EventKind or_kind) {
  ByteReader reader(bytes);
  EventKind found{};
  TG_TRY([[maybe_unused]] const BatchHead head, canonical::parse_head(reader, &found));
  if (found != kind && found != or_kind) {
    return make_error(ErrorCode::kInvalidArgument,
                      "a batch of kind " + std::to_string(static_cast<unsigned>(found)) + " read as kind " +
                          std::to_string(static_cast<unsigned>(kind)));
  }
  std::vector<Event> events(reader.count32(Format<Event>::kLeast));
  for (Event& event : events) {
    if (!reader.ok()) break;
    Format<Event>::get(reader, &event);
  }
  TG_CHECK(canonical::check_end(reader));
  return events;
}

template <class Event>
Result<std::vector<Event>> read_list(ByteView bytes, EventKind kind) {
  return read_list<Event>(bytes, kind, kind);
}

}  // namespace

Status canonical::summarize_list(ByteReader& reader, EventKind kind, BatchSummary* summary) {
  switch (kind) {
    case EventKind::kDeletion:
      return summarize_as<Deletion>(reader, summary);
    case EventKind::kSchema:
    case EventKind::kOpaque:
      return summarize_as<Opaque>(reader, summary);
    case EventKind::kFile:
      return summarize_as<FileEvent>(reader, summary);
    case EventKind::kPiece:
      return summarize_as<Piece>(reader, summary);
    case EventKind::kGap:
      return summarize_as<GapEvent>(reader, summary);
    case EventKind::kFork:
      return summarize_as<ForkEvent>(reader, summary);
    case EventKind::kStatistics:
      return summarize_as<Statistic>(reader, summary);
    case EventKind::kRows:
      break;
  }
  return make_error(ErrorCode::kInternal, "rows are not a list kind");
}

Batch make_batch(const BatchHead& head, const std::vector<Deletion>& events) {
  return write_list(head, EventKind::kDeletion, events);
}
Batch make_batch(const BatchHead& head, EventKind kind, const std::vector<Opaque>& events) {
  assert(kind == EventKind::kSchema || kind == EventKind::kOpaque);
  return write_list(head, kind, events);
}
Batch make_batch(const BatchHead& head, const std::vector<FileEvent>& events) {
  return write_list(head, EventKind::kFile, events);
}
Batch make_batch(const BatchHead& head, const std::vector<Piece>& events) {
  return write_list(head, EventKind::kPiece, events);
}
Batch make_batch(const BatchHead& head, const std::vector<GapEvent>& events) {
  return write_list(head, EventKind::kGap, events);
}
Batch make_batch(const BatchHead& head, const std::vector<ForkEvent>& events) {
  return write_list(head, EventKind::kFork, events);
}
Batch make_batch(const BatchHead& head, const std::vector<Statistic>& events) {
  return write_list(head, EventKind::kStatistics, events);
}

Result<std::vector<Deletion>> read_deletions(ByteView canonical) {
  return read_list<Deletion>(canonical, EventKind::kDeletion);
}
Result<std::vector<Opaque>> read_opaque(ByteView canonical) {
  return read_list<Opaque>(canonical, EventKind::kOpaque, EventKind::kSchema);
}
Result<std::vector<FileEvent>> read_files(ByteView canonical) {
  return read_list<FileEvent>(canonical, EventKind::kFile);
}
Result<std::vector<Piece>> read_pieces(ByteView canonical) {
  return read_list<Piece>(canonical, EventKind::kPiece);
}
Result<std::vector<GapEvent>> read_gaps(ByteView canonical) {
  return read_list<GapEvent>(canonical, EventKind::kGap);
}
Result<std::vector<ForkEvent>> read_forks(ByteView canonical) {
  return read_list<ForkEvent>(canonical, EventKind::kFork);
}
Result<std::vector<Statistic>> read_statistics(ByteView canonical) {
  return read_list<Statistic>(canonical, EventKind::kStatistics);
}

}  // namespace tidegate
