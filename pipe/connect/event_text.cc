// SPDX-License-Identifier: Apache-2.0
#include "pipe/connect/event_text.h"

#include <utility>

#include "pipe/engine/json_text.h"

namespace tidegate {
namespace {

std::string_view unit_name(TimeUnit unit) {
  constexpr std::string_view kNames[] = {"s", "ms", "us", "ns"};
  return kNames[static_cast<std::size_t>(unit)];
}

void write(JsonObject& json, const Deletion& event, TimeUnit unit) {
  std::string patterns = "[";
  for (const std::string& pattern : event.patterns) {
    if (patterns.size() > 1) patterns += ',';
    append_json_string(patterns, pattern);
  }
  json.raw("patterns", patterns + "]");
  json.signed_number("from", event.from);
  json.signed_number("to", event.to);
  json.text("unit", unit_name(unit));
}

void write(JsonObject& json, const Opaque& event, TimeUnit) {
  json.bytes("protocol", event.protocol);
  json.text("body_hex", to_hex(event.body));
}

void write(JsonObject& json, const FileEvent& event, TimeUnit) {
  json.bytes("name", event.name);
  json.number("size", event.size);
  json.text("sha256", to_hex(event.hash));
  std::string attributes;
  JsonObject inner(attributes);
  for (const auto& [key, value] : event.attributes) inner.bytes(key, value);
  inner.end();
  json.raw("attributes", attributes);
}

void write(JsonObject& json, const Piece& event, TimeUnit) {
  json.text("sha256", to_hex(event.file));
  json.number("offset", event.offset);
  json.text("bytes_hex", to_hex(event.bytes));
}

void write(JsonObject& json, const GapEvent& event, TimeUnit unit) {
  json.number("reason", event.reason);
  json.number("from", event.from);
  json.number("to", event.to);
  json.number("events", event.events);
  json.signed_number("time_min", event.time_min);
  json.signed_number("time_max", event.time_max);
  json.text("unit", unit_name(unit));
}

void write(JsonObject& json, const ForkEvent& event, TimeUnit) {
  json.text("journal", event.journal.hex());
  json.number("stream", event.stream);
  json.number("generation", event.generation);
  json.number("base", event.base);
  json.number("old_last", event.old_last);
}

void write(JsonObject& json, const Statistic& event, TimeUnit) {
  json.bytes("name", event.first);
  json.bytes("value", event.second);
}

template <class Event>
Result<std::vector<std::string>> to_json(const DeliverableBatch& batch, Result<std::vector<Event>> events) {
  if (!events.ok()) return std::move(events).error();
  std::vector<std::string> out;
  out.reserve(events->size());
  for (const Event& event : *events) {
    JsonObject json(out.emplace_back());
    json.number("lsn", batch.lsn);
    write(json, event, batch.summary.unit);
    json.end();
  }
  return out;
}

std::vector<std::string> unknown(const DeliverableBatch& batch) {
  std::string out;
  JsonObject json(out);
  json.number("lsn", batch.lsn);
  json.number("kind", static_cast<std::uint64_t>(batch.summary.kind));
  json.text("canonical_hex", to_hex(batch.canonical));
  json.end();
  return {out};
}

}  // namespace

std::string_view kind_name(EventKind kind) {
  switch (kind) {
    case EventKind::kRows:
      return "rows";
    case EventKind::kDeletion:
      return "deletion";
    case EventKind::kSchema:
      return "schema";
    case EventKind::kOpaque:
      return "opaque";
    case EventKind::kFile:
      return "file";
    case EventKind::kPiece:
      return "piece";
    case EventKind::kGap:
      return "gap";
    case EventKind::kFork:
      return "fork";
    case EventKind::kStatistics:
      return "statistics";
  }
  return "unknown";
}

Result<std::vector<std::string>> events_as_json(const DeliverableBatch& batch) {
  switch (batch.summary.kind) {
    case EventKind::kDeletion:
      return to_json(batch, read_deletions(batch.canonical));
    case EventKind::kSchema:
    case EventKind::kOpaque:
      return to_json(batch, read_opaque(batch.canonical));
    case EventKind::kFile:
      return to_json(batch, read_files(batch.canonical));
    case EventKind::kPiece:
      return to_json(batch, read_pieces(batch.canonical));
    case EventKind::kGap:
      return to_json(batch, read_gaps(batch.canonical));
    case EventKind::kFork:
      return to_json(batch, read_forks(batch.canonical));
    case EventKind::kStatistics:
      return to_json(batch, read_statistics(batch.canonical));
    case EventKind::kRows:
      break;
  }
  return unknown(batch);
}

}  // namespace tidegate
