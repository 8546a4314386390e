// SPDX-License-Identifier: Apache-2.0
#include "pipe/stream/link_store.h"

#include <algorithm>

namespace tidegate {
namespace {

Id derive(const Id& own, const std::string& link) {
  Bytes text;
  ByteWriter writer(text);
  writer.bytes(own.view());
  writer.str32(link);
  const Hash128 hash = xxh3_128(text);
  Id out;
  std::ranges::copy(hash.view(), out.bytes.begin());
  return out;
}

}  // namespace

LinkIdentity identity_for(const LinkIdentity& own, const std::string& link) {
  return {derive(own.sender, link), derive(own.journal, link)};
}

void LinkStore::carry(StreamId stream, NearStore* store, bool paused) {
  Carried& carried = carried_[stream];
  carried.store = store;
  carried.paused = paused;
}

void LinkStore::forget(StreamId stream, const NearStore* store) {
  if (const auto it = carried_.find(stream); it != carried_.end() && it->second.store == store)
    carried_.erase(it);
}

void LinkStore::set_paused(StreamId stream, bool paused) {
  if (const auto it = carried_.find(stream); it != carried_.end()) it->second.paused = paused;
}

void LinkStore::set_limit(StreamId stream, std::function<Seq(Seq head)> limit) {
  if (const auto it = carried_.find(stream); it != carried_.end()) it->second.limit = std::move(limit);
}

NearStore& LinkStore::of(StreamId stream) const {
  const auto it = carried_.find(stream);
  return it == carried_.end() ? *main_ : *it->second.store;
}

std::vector<StreamId> LinkStore::streams() const {
  std::vector<StreamId> out;
  for (const auto& [id, carried] : carried_) out.push_back(id);
  return out;
}

bool LinkStore::paused(StreamId stream) const {
  const auto it = carried_.find(stream);
  return it != carried_.end() && it->second.paused;
}

Seq LinkStore::head(StreamId stream) const {
  const Seq head = of(stream).head(stream);
  const auto it = carried_.find(stream);
  return it == carried_.end() || !it->second.limit ? head : it->second.limit(head);
}

Status LinkStore::ended(StreamId stream) {
  TG_CHECK(of(stream).ended(stream));
  forget(stream);
  return {};
}

}  // namespace tidegate
