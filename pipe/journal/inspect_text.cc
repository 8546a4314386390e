// SPDX-License-Identifier: Apache-2.0
#include "pipe/journal/inspect_text.h"

#include <charconv>
#include <cstdio>
#include <ctime>

#include "pipe/model/path.h"
#include "protocol/influx/json_text.h"

namespace tidegate {

using namespace journal_format;

namespace {

constexpr std::uint64_t kDecodeLimit = 1ULL << 30;
constexpr std::int64_t kMicros = 1'000'000;

// Members in the order they are given, as `key=value` for people or as a JSON object.
class Line {
 public:
  explicit Line(bool json) : json_(json) { out_ = json ? "{" : ""; }
  Line& text(std::string_view key, std::string_view value) {
    name(key);
    if (json_) {
      influx::append_json_string(out_, value);
    } else {
      out_ += value;
    }
    return *this;
  }
  template <class T>
  Line& number(std::string_view key, T value) {
    name(key);
    out_ += std::to_string(value);
    return *this;
  }
  std::string done() { return json_ ? out_ + "}" : out_; }

 private:
  void name(std::string_view key) {
    if (!first_) out_ += json_ ? "," : " ";
    first_ = false;
    if (json_) {
      influx::append_json_string(out_, key);
      out_ += ":";
    } else {
      out_ += key;
      out_ += "=";
    }
  }
  bool json_;
  bool first_ = true;
  std::string out_;
};

std::string kind_text(std::uint8_t kind) {
  switch (static_cast<RecordKind>(kind)) {
    case RecordKind::kBatches:
      return "batches";
    case RecordKind::kNote:
      return "note";
    case RecordKind::kCheckpoint:
      return "checkpoint";
    case RecordKind::kSyncMark:
      return "sync-mark";
    case RecordKind::kFooter:
      return "footer";
  }
  return "unknown-" + std::to_string(kind);
}

std::string_view event_text(EventKind kind) {
  static constexpr std::string_view kNames[] = {"rows",  "deletion", "schema", "opaque",    "file",
                                                "piece", "gap",      "fork",   "statistics"};
  const auto index = static_cast<std::size_t>(kind) - 1;
  return index < std::size(kNames) ? kNames[index] : "unknown";
}

void add_batches(const RecordHeader& header, ByteView bytes, Line& line) {
  const auto meta = decode_batches_meta(header, bytes);
  if (!meta.ok()) {
    line.text("error", meta.error().text());
    return;
  }
  line.number("first_lsn", meta->first_lsn).number("last_lsn", meta->last_lsn()).number("skip", meta->skip);
  line.number("codec", meta->codec).number("decoded", meta->decoded_size);
  line.number("events", meta->events).number("values", meta->values);
  if (meta->time_min <= meta->time_max)
    line.text("from", utc_text(meta->time_min / 1000)).text("to", utc_text(meta->time_max / 1000));
  line.text("arrival", utc_text(meta->arrival_micros)).number("durable_before", meta->durable_before);
  if (meta->origin) {
    line.text("origin", meta->origin->journal.hex()).number("generation", meta->origin->generation);
    line.number("stream", meta->origin->stream).number("first_seq", meta->origin->first_seq);
    line.text("chain_before", meta->origin->chain_before.hex());
  }
  for (const Id& hop : meta->hops) line.text("hop", hop.hex());
  line.text("hash", meta->hashes.front().hex());
}

void add_meta(const RecordHeader& header, ByteView meta, Line& line) {
  if (header.is(RecordKind::kBatches)) return add_batches(header, meta, line);
  if (header.is(RecordKind::kNote)) {
    if (const auto type = decode_note_meta(meta); type.ok()) line.number("type", *type);
  } else if (header.is(RecordKind::kCheckpoint)) {
    const auto checkpoint = decode_checkpoint_meta(meta);
    if (checkpoint.ok())
      line.number("covers", checkpoint->covers)
          .number("keep_lsn", checkpoint->keep_lsn)
          .text("written", utc_text(checkpoint->written_micros));
  } else if (header.is(RecordKind::kSyncMark)) {
    line.number("durable_lsn", header.durable_lsn)
        .text("stop", (header.flags & kFlagClean) != 0 ? "clean" : "no");
  } else if (header.is(RecordKind::kFooter)) {
    if (const auto totals = decode_footer_meta(meta); totals.ok())
      line.number("last_lsn", totals->last_lsn)
          .number("records", totals->records)
          .number("events", totals->events);
  }
}

std::string value_text(const ValueView& v) {
  if (v.presence == Presence::kNull) return "null";
  char buffer[32];
  const auto shortest = [&](auto number) {
    const auto end = std::to_chars(buffer, buffer + sizeof(buffer), number).ptr;
    return std::string(buffer, end);
  };
  switch (v.type) {
    case ValueType::kBool:
      return v.b ? "true" : "false";
    case ValueType::kInt32:
    case ValueType::kDate:
      return shortest(v.i32);
    case ValueType::kInt64:
    case ValueType::kTimestamp:
      return shortest(v.i64);
    case ValueType::kUint64:
      return shortest(v.u64);
    case ValueType::kFloat:
      return shortest(v.f32);
    case ValueType::kDouble:
      return shortest(v.f64);
    case ValueType::kText:
      return std::string(v.text);
    case ValueType::kBlob:
      return "0x" + to_hex(as_bytes(v.text));
  }
  return {};
}

std::string row_text(Lsn lsn, const RowView& row, bool json) {
  Line line(json);
  std::string device;
  append_device_path(&device, row);
  line.number("lsn", lsn).number("time", row.time).text("device", device);
  for (const FieldView& field : row.fields) {
    if (field.value.presence != Presence::kAbsent) line.text(field.name, value_text(field.value));
  }
  return line.done();
}

void add_batch(Lsn lsn, ByteView canonical, bool json, std::vector<std::string>* out) {
  const auto summary = summarize(canonical);
  if (!summary.ok()) {
    out->push_back(Line(json).number("lsn", lsn).text("error", summary.error().text()).done());
    return;
  }
  if (summary->kind == EventKind::kRows) {
    (void)for_each_row(canonical,
                       [&](const RowView& row) { return out->push_back(row_text(lsn, row, json)), true; });
    return;
  }
  out->push_back(Line(json)
                     .number("lsn", lsn)
                     .text("event", event_text(summary->kind))
                     .number("events", summary->events)
                     .number("bytes", canonical.size())
                     .done());
}

}  // namespace

std::string utc_text(std::int64_t micros) {
  std::int64_t seconds = micros / kMicros;
  std::int64_t rest = micros % kMicros;
  if (rest < 0) {
    rest += kMicros;
    --seconds;
  }
  const std::time_t when = seconds;
  std::tm parts{};
  if (gmtime_r(&when, &parts) == nullptr) return std::to_string(micros) + "us";
  char day[40];
  char fraction[16];
  if (std::strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &parts) == 0) return std::to_string(micros) + "us";
  std::snprintf(fraction, sizeof(fraction), ".%06dZ", static_cast<int>(rest));
  return std::string(day) + fraction;
}

std::string record_text(const ScanItem& item, ByteView meta, bool json) {
  Line line(json);
  line.text("kind", kind_text(item.header.kind))
      .number("offset", item.offset)
      .number("payload", item.header.payload_size);
  add_meta(item.header, meta, line);
  return line.done();
}

std::string damage_text(const ScanItem& item, bool json) {
  Line line(json);
  line.text("kind", "DAMAGED")
      .number("offset", item.offset)
      .number("bytes", item.end - item.offset)
      .text("reason", item.reason);
  if (item.has_header)
    line.text("was", kind_text(item.header.kind))
        .number("first_lsn", item.header.first_lsn)
        .number("count", item.header.count);
  return line.done();
}

std::vector<std::string> content_text(const RecordMeta& meta, ByteView container, bool json) {
  std::vector<std::string> out;
  const auto decoded = decode_container(meta.codec, meta.decoded_size, container, kDecodeLimit);
  if (!decoded.ok()) {
    out.push_back(Line(json).number("lsn", meta.first_lsn).text("error", decoded.error().text()).done());
    return out;
  }
  for (std::size_t i = meta.skip; i < decoded->batches.size(); ++i)
    add_batch(meta.first_lsn + (i - meta.skip), decoded->batches[i], json, &out);
  return out;
}

std::string segments_text(const std::vector<SegmentDetail>& segments, bool json) {
  std::string out;
  for (const SegmentDetail& s : segments) {
    Line line(json);
    line.number("segment", s.info.number)
        .number("first_lsn", s.info.first_lsn)
        .number("last_lsn", s.info.last_lsn);
    line.number("bytes", s.info.bytes).text("sealed", s.info.sealed ? "yes" : "no");
    line.number("records", s.totals.records)
        .number("events", s.totals.events)
        .number("values", s.totals.values);
    if (s.totals.time_min <= s.totals.time_max)
      line.text("from", utc_text(s.totals.time_min / 1000)).text("to", utc_text(s.totals.time_max / 1000));
    if (s.totals.arrival_min <= s.totals.arrival_max)
      line.text("arrived_from", utc_text(s.totals.arrival_min))
          .text("arrived_to", utc_text(s.totals.arrival_max));
    line.text("created", s.created_micros == 0 ? "unreadable" : utc_text(s.created_micros))
        .text("path", s.info.path);
    out += line.done() + "\n";
  }
  return out;
}

}  // namespace tidegate
