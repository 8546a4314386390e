// SPDX-License-Identifier: Apache-2.0
// The part of a checkpoint that holds the receiving side. Format: doc/stream_state.md.
#include "pipe/stream/far_fold.h"

namespace tidegate {
namespace {

using stream_codec::GetFields;
using stream_codec::PutFields;

void put_journal(PutFields& put, const FarJournal& v) {
  put(v.sender), put(v.session), put(v.nonce), put(v.superseded);
}
void get_journal(GetFields& get, FarJournal& v) {
  get(v.sender), get(v.session), get(v.nonce), get(v.superseded);
}

}  // namespace

void FarFold::save(PutFields& put) const {
  put(static_cast<std::uint32_t>(sources_.size()));
  for (const auto& [journal, source] : sources_) {
    put(journal), put_journal(put, source.now), put(source.label);
    put(static_cast<std::uint32_t>(source.streams.size()));
    for (const auto& [id, s] : source.streams) {
      put(id), stream_codec::all(put, s.now), put(s.label), put(s.ended);
      put(static_cast<std::uint8_t>(s.owed.index()));
      if (const auto* fork = std::get_if<FarForkNote>(&s.owed)) stream_codec::all(put, *fork);
      if (const auto* gap = std::get_if<FarGapNote>(&s.owed)) stream_codec::all(put, *gap);
      stream_codec::put_list(put, s.cuts);
      stream_codec::put_list(put, s.gaps);
      stream_codec::put_list(put, s.orphans);
      s.kept.save(put);
    }
  }
  put(static_cast<std::uint32_t>(approved_.size()));
  for (const auto& [journal, sender] : approved_) put(journal), put(sender);
}

namespace {

std::variant<std::monostate, FarForkNote, FarGapNote> get_owed(GetFields& get) {
  std::uint8_t kind = 0;
  get(kind);
  if (kind == 1) {
    FarForkNote fork;
    stream_codec::all(get, fork);
    return fork;
  }
  if (kind == 2) {
    FarGapNote gap;
    stream_codec::all(get, gap);
    return gap;
  }
  if (kind != 0) get.fail();
  return std::monostate{};
}

}  // namespace

void FarFold::load(GetFields& get) {
  const std::uint32_t sources = get.count(16);
  for (std::uint32_t i = 0; i < sources && get.ok(); ++i) {
    Id journal;
    get(journal);
    Source& source = sources_[journal];
    get_journal(get, source.now), get(source.label);
    const std::uint32_t streams = get.count(2);
    for (std::uint32_t k = 0; k < streams && get.ok(); ++k) {
      StreamId id = 0;
      get(id);
      Stream& s = source.streams[id];
      stream_codec::all(get, s.now), get(s.label), get(s.ended);
      s.owed = get_owed(get);
      stream_codec::get_list(get, s.cuts, 12);
      stream_codec::get_list(get, s.gaps, 16);
      stream_codec::get_list(get, s.orphans, 20);
      s.kept.load(get);
      s.durable = s.now;
    }
    source.durable = source.now;
    source.durable_known = !source.now.sender.is_zero();  // zero: damage took its session note
  }
  const std::uint32_t approved = get.count(32);
  for (std::uint32_t i = 0; i < approved && get.ok(); ++i) {
    Id journal;
    get(journal), get(approved_[journal]);
  }
}

}  // namespace tidegate
