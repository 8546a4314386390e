// SPDX-License-Identifier: Apache-2.0
// What ReceiverLink does with stream hellos, batches, parts, gaps and finished stores.
#include "protocol/native/planted.h"
#include "protocol/native/receiver_link.h"
#include "protocol/native/receiver_link_impl.h"

namespace tidegate {

ReceiverLink::Stream& ReceiverLink::stream(const Id& journal, StreamId id) {
  auto& s = streams_[{journal, id}];
  if (!s) {
    s = std::make_unique<Stream>();
    s->journal = journal;
    s->id = id;
  }
  return *s;
}

// Precondition: nothing is outstanding.
void ReceiverLink::load_durable(Stream& s) {
  const FarStream far = store_->stream(s.journal, s.id);
  s.loaded = true;
  s.generation = far.generation;
  s.durable = s.issued_position = far.position;
  s.issued_chain = far.generation == 0 ? chain_zero(s.journal, s.id) : far.chain;
  s.issued_chains.clear();
}

std::optional<Hash128> ReceiverLink::known_chain(const Stream& s, Seq n) const {
  if (n == 0) return chain_zero(s.journal, s.id);
  if (!s.issued_chains.empty() && n >= s.issued_chains.front().first) {
    for (const auto& [seq, chain] : s.issued_chains)
      if (seq == n) return chain;
    return std::nullopt;
  }
  return store_->chain(s.journal, s.id, n);
}

StoreToken ReceiverLink::store(StoreRequest request, Pending pending) {
  const StoreToken token = next_token_++;
  pending_.emplace(token, std::move(pending));
  actions_.emplace_back(RxStore{token, std::move(request)});
  return token;
}

bool ReceiverLink::has_memory(Connection& c, std::size_t bytes) {
  if (memory_ + bytes <= options_.memory_limit) return true;
  notice(true, "peer " + c.peer + ": " + std::to_string(memory_) + " bytes wait to be stored, the limit is " +
                   std::to_string(options_.memory_limit) +
                   ": is the disk too slow, or the window too large?");
  close(c.id, "out of memory for what waits to be stored");
  return false;
}

// ---- stream hello: R7

void ReceiverLink::on_stream_hello(Connection& c, StreamId id, const StreamHello& hello) {
  const std::uint64_t slot = open_slot(c);
  Stream& s = stream(c.journal, id);
  if (s.outstanding > 0) {  // what is appended is synced first
    s.hellos.push_back({c.id, slot, hello});
    return;
  }
  evaluate_stream_hello(c, id, hello, slot);
}

Reason ReceiverLink::judge_stream_hello(const Id& journal, StreamId id, const StreamHello& hello,
                                        const FarStream& far, bool* opens) {
  const auto compare = [&](Seq n, const Hash128& claimed) {
    const auto own = n == 0 ? chain_zero(journal, id) : store_->chain(journal, id, n);
    if (planted(Planted::kHelloIgnoresChain) || planted(Planted::kNoChainCheck)) return Reason::kNone;
    if (!own) return Reason::kChainUnknown;
    return *own == claimed ? Reason::kNone : Reason::kDiverged;
  };
  *opens = hello.generation > far.generation;
  if (hello.generation < far.generation || hello.generation == 0) return Reason::kGeneration;
  if (!*opens) {
    if (hello.confirmed > far.position) return Reason::kBehind;
    return compare(hello.confirmed, hello.confirmed_chain);
  }
  if (hello.base > far.position || hello.confirmed > hello.base) return Reason::kBehind;
  return compare(hello.base, hello.base_chain);
}

void ReceiverLink::evaluate_stream_hello(Connection& c, StreamId id, const StreamHello& hello,
                                         std::uint64_t slot) {
  Stream& s = stream(c.journal, id);
  load_durable(s);
  const FarStream far = store_->stream(c.journal, id);
  bool opens = false;
  const Reason reason = judge_stream_hello(c.journal, id, hello, far, &opens);
  if (reason != Reason::kNone) {  // changes nothing
    remember(c.journal, id, reason);
    notice(false, "peer " + c.peer + ", stream " + std::to_string(id) + ": hello refused (generation " +
                      std::to_string(hello.generation) + ", confirmed " + std::to_string(hello.confirmed) +
                      "; here generation " + std::to_string(far.generation) + ", position " +
                      std::to_string(far.position) + "): " + reason_text(reason));
    return fill(c, slot, Byte::kFail);
  }
  s.held.clear();
  if (!opens) {
    s.open_in = c.session;
    return fill(c, slot, Byte::kOk);
  }
  StoreStreamOpen open{c.journal,           id,           hello.generation, hello.base, hello.base_chain,
                       far.generation != 0, far.position, hello.label};
  if (open.fork) {
    ++counters_.forks;
    notice(true, "peer " + c.peer + ", stream " + std::to_string(id) + ": fork at " +
                     std::to_string(hello.base) + ", generation " + std::to_string(hello.generation) +
                     "; batches " + std::to_string(hello.base + 1) + ".." + std::to_string(far.position) +
                     " stay as the old branch and may be repeated");
  }
  s.open_in = 0;  // nothing of the stream is taken until the new generation is durable
  ++s.outstanding;
  store(std::move(open), Pending{Pending::kOpen, c.journal, id, c.session, {{c.id, slot}}, {}});
}

// ---- batches: R2 to R5

void ReceiverLink::on_batch(Connection& c, StreamId id, const BatchFrame& batch) {
  finish_batch(c, id, batch, open_slot(c));
}

void ReceiverLink::finish_batch(Connection& c, StreamId id, const BatchFrame& batch, std::uint64_t slot) {
  Stream& s = stream(c.journal, id);
  if (s.broken) return close(c.id, "a store failed: the session is over");
  const Seq position = s.issued_position;
  const Seq last = batch.last_seq();
  const auto where = [&] {
    return "batches " + std::to_string(batch.first_seq) + ".." + std::to_string(last) + " at position " +
           std::to_string(position);
  };
  if (batch.first_seq > position + 1) {
    const auto session = sessions_.find(c.journal);
    if (session != sessions_.end() && session->second.lane_count > 1)
      return hold_frame(c, s, id, batch, slot);
    return refuse(c, id, slot, Reason::kNotContiguous, where());
  }
  if (batch.first_seq == position + 1) {
    if (batch.previous_chain != s.issued_chain && !planted(Planted::kNoChainCheck))
      return refuse(c, id, slot, Reason::kDiverged, where());
  } else if (!planted(Planted::kDuplicateBySequence) && !planted(Planted::kNoChainCheck)) {
    const Seq k = std::min(position, last);
    Hash128 chain = batch.previous_chain;
    for (Seq n = batch.first_seq; n <= k; ++n)
      chain = chain_next(chain, n, batch.hashes[n - batch.first_seq]);
    const auto own = known_chain(s, k);
    if (!own) return refuse(c, id, slot, Reason::kChainUnknown, where());
    if (*own != chain) return refuse(c, id, slot, Reason::kDiverged, where());
  }
  if (last <= position) {
    counters_.duplicate_batches += batch.hashes.size();
    if (last <= s.durable) {
      forget(c.journal, id);
      return fill(c, slot, Byte::kOk);
    }
    s.waiters.push_back({c.id, slot, last});  // known, but not yet synced
    return;
  }
  const auto skip = static_cast<std::uint32_t>(position + 1 - batch.first_seq);
  counters_.duplicate_batches += skip;
  if (const Status content = store_->check_content(batch, skip); !content.ok()) {
    const ErrorCode code = content.error().code;
    const Reason reason = code == ErrorCode::kUnsupported ? Reason::kVersion
                          : code == ErrorCode::kTooLarge  ? Reason::kTooLarge
                                                          : Reason::kDamaged;
    return refuse(c, id, slot, reason, where() + ": " + content.error().text());
  }
  store_batches(c, s, batch, skip, slot);
  retry_held(s);
}

void ReceiverLink::store_batches(Connection& c, Stream& s, const BatchFrame& batch, std::uint32_t skip,
                                 std::uint64_t slot) {
  if (!has_memory(c, batch.container.size())) return;
  Hash128 chain = s.issued_chain;
  for (std::size_t i = skip; i < batch.hashes.size(); ++i) {
    const Seq n = batch.first_seq + i;
    chain = chain_next(chain, n, batch.hashes[i]);
    s.issued_chains.emplace_back(n, chain);
  }
  s.issued_position = batch.last_seq();
  s.issued_chain = chain;
  counters_.batches += batch.hashes.size() - skip;
  ++s.outstanding;
  StoreBatches request{
      s.journal,  s.id, s.generation, batch.first_seq,    batch.previous_chain,     batch.hashes,
      batch.hops, skip, batch.codec,  batch.decoded_size, to_bytes(batch.container)};
  store(
      std::move(request),
      Pending{
          Pending::kBatches, s.journal, s.id, c.session, {}, MemoryCharge(&memory_, batch.container.size())});
  if (planted(Planted::kAnswerBeforeSync)) return fill(c, slot, Byte::kOk);
  s.waiters.push_back({c.id, slot, batch.last_seq()});
}

// R5: with lanes a later batch may arrive before an earlier one. It waits in memory; on_time closes when it
// waits too long.
void ReceiverLink::hold_frame(Connection& c, Stream& s, StreamId id, const BatchFrame& batch,
                              std::uint64_t slot) {
  const std::size_t limit = std::size_t{options_.max_lanes} * 4;
  if (s.held.size() >= limit || s.held.contains(batch.first_seq))
    return refuse(c, id, slot, Reason::kNotContiguous, "too many batches wait for an earlier one");
  Bytes body = encode_batch_body(batch);
  if (!has_memory(c, body.size())) return;
  MemoryCharge charge(&memory_, body.size());
  s.held.emplace(batch.first_seq, Held{c.id, slot, now_, std::move(body), std::move(charge)});
}

void ReceiverLink::retry_held(Stream& s) {
  while (!s.held.empty() && s.held.begin()->first <= s.issued_position + 1) {
    const Held held = std::move(s.held.extract(s.held.begin()).mapped());
    Connection* c = find(held.connection);
    if (c == nullptr || c->ignoring) continue;
    const auto batch = decode_batch_body(held.body);
    if (batch.ok()) finish_batch(*c, s.id, *batch, held.slot);
  }
}

void ReceiverLink::on_part(Connection& c, StreamId id, const PartFrame& part) {
  const std::uint64_t slot = open_slot(c);
  Stream& s = stream(c.journal, id);
  ++counters_.parts;
  if (part.total > options_.largest_part_total)
    return refuse(c, id, slot, Reason::kTooLarge,
                  "batch " + std::to_string(part.seq) + " of " + std::to_string(part.total) +
                      " bytes; at most " + std::to_string(options_.largest_part_total) + " are taken");
  const bool survives = planted(Planted::kPartSurvivesClose);
  Connection::Part& buffer = survives ? s.planted_part : c.part;
  const bool begins = part.offset == 0 && (!survives || buffer.seq != part.seq);
  if (begins) {
    buffer = {};
    if (!has_memory(c, part.total)) return;
    buffer = {id, part.seq, part.total, {}, MemoryCharge(&memory_, part.total)};
  }
  if (buffer.stream != id || buffer.seq != part.seq || buffer.total != part.total ||
      buffer.bytes.size() != part.offset)
    return refuse(c, id, slot, Reason::kDamaged, "a part at an offset that does not follow");
  buffer.bytes.insert(buffer.bytes.end(), part.bytes.begin(), part.bytes.end());
  if (!part.is_final()) return fill(c, slot, Byte::kOk);  // buffered, forgotten on close
  const Bytes body = std::move(buffer.bytes);
  buffer = {};
  const auto batch = decode_batch_body(body);
  if (!batch.ok() || batch->first_seq != part.seq || batch->hashes.size() != 1)
    return refuse(c, id, slot, Reason::kDamaged,
                  "the parts of batch " + std::to_string(part.seq) + " make no batch");
  finish_batch(c, id, *batch, slot);
}

// ---- gaps and ends

void ReceiverLink::on_gap(Connection& c, StreamId id, const GapFrame& gap) {
  const std::uint64_t slot = open_slot(c);
  Stream& s = stream(c.journal, id);
  if (s.broken) return close(c.id, "a store failed: the session is over");
  const std::string where = "gap " + std::to_string(gap.from) + ".." + std::to_string(gap.to);
  if (gap.to <= s.issued_position) {
    const auto own = known_chain(s, gap.to);
    if (!own) return refuse(c, id, slot, Reason::kChainUnknown, where);
    if (*own != gap.chain_after) return refuse(c, id, slot, Reason::kDiverged, where);
    if (gap.to <= s.durable) {
      forget(c.journal, id);
      return fill(c, slot, Byte::kOk);
    }
    s.waiters.push_back({c.id, slot, gap.to});
    return;
  }
  if (gap.from > s.issued_position + 1) return refuse(c, id, slot, Reason::kNotContiguous, where);
  const auto before = known_chain(s, gap.from - 1);
  if (before && *before != gap.previous_chain) return refuse(c, id, slot, Reason::kDiverged, where);
  ++counters_.gaps;
  notice(true, "peer " + c.peer + ", stream " + std::to_string(id) + ": " + where +
                   " declared by the sender, " + std::to_string(gap.events) +
                   " events are missing here for good");
  StoreGap request{c.journal, id, s.generation, gap, s.issued_position};
  s.issued_position = gap.to;
  s.issued_chain = gap.chain_after;
  s.issued_chains.emplace_back(gap.to, gap.chain_after);
  ++s.outstanding;
  store(std::move(request), Pending{Pending::kGap, c.journal, id, c.session, {}, {}});
  s.waiters.push_back({c.id, slot, gap.to});
  retry_held(s);
}

void ReceiverLink::on_end(Connection& c, StreamId id, const End& end) {
  const std::uint64_t slot = open_slot(c);
  Stream& s = stream(c.journal, id);
  ++s.outstanding;
  store(StoreEnd{c.journal, id, end.reason},
        Pending{Pending::kEnd, c.journal, id, c.session, {{c.id, slot}}, {}});
}

// ---- finished stores

// R2, R3: `ok` only now, when the store says that the batch and all before it are synced.
void ReceiverLink::release_waiters(Stream& s) {
  while (!s.issued_chains.empty() && s.issued_chains.front().first <= s.durable) s.issued_chains.pop_front();
  std::vector<Stream::Waiter> ready;
  std::erase_if(s.waiters, [&](const Stream::Waiter& w) {
    if (w.need > s.durable) return false;
    ready.push_back(w);
    return true;
  });
  if (!ready.empty()) forget(s.journal, s.id);
  for (const auto& w : ready) fill_if_there(w.connection, w.slot, Byte::kOk);
}

void ReceiverLink::finish_session(const Pending& done, StoreToken token, const Status& status) {
  const auto it = sessions_.find(done.journal);
  const bool current = it != sessions_.end() && it->second.token == token;
  if (current) it->second.token = 0;
  for (const auto& w : done.waiters) {
    Connection* c = find(w.connection);
    if (c == nullptr || c->phase != Phase::kGreeting) continue;
    c->phase = status.ok() ? Phase::kOpen : Phase::kRefused;
    if (!status.ok()) remember(done.journal, 0, Reason::kStorage);
    fill(*c, w.slot, status.ok() ? Byte::kOk : Byte::kFail);
  }
  if (current && !status.ok()) sessions_.erase(it);
}

void ReceiverLink::finish_failed(Stream& s, const Pending& done, const Error& error) {
  const Reason reason = Reason::kStorage;
  notice(true, "stream " + std::to_string(s.id) + ": cannot store: " + error.text());
  s.broken = s.outstanding > 0;
  const auto waiters = std::exchange(s.waiters, {});
  for (const auto& w : waiters)
    if (Connection* c = find(w.connection); c != nullptr && !c->ignoring)
      refuse(*c, s.id, w.slot, reason, "batch " + std::to_string(w.need));
  for (const auto& w : done.waiters) {
    Connection* c = find(w.connection);
    if (c == nullptr) continue;
    // R6: a hello may be said again, after a refused end the session is over.
    if (done.kind == Pending::kEnd) {
      if (!c->ignoring) refuse(*c, s.id, w.slot, reason, "the end of the stream");
      continue;
    }
    remember(s.journal, s.id, reason);
    fill(*c, w.slot, Byte::kFail);
  }
}

void ReceiverLink::on_stored(StoreToken token, const Status& status, LinkNanos now) {
  now_ = now;
  const auto it = pending_.find(token);
  if (it == pending_.end()) return;
  const Pending done = std::move(it->second);
  pending_.erase(it);
  if (done.kind == Pending::kSession) return finish_session(done, token, status);

  Stream& s = stream(done.journal, done.stream);
  --s.outstanding;
  if (!status.ok()) {
    finish_failed(s, done, status.error());
  } else {
    if (done.kind == Pending::kOpen) {
      if (s.outstanding == 0) load_durable(s);
      for (const auto& w : done.waiters)
        if (const Connection* c = find(w.connection); c != nullptr) s.open_in = c->session;
    }
    if (done.kind == Pending::kEnd) s.open_in = 0;
    s.durable = store_->stream(done.journal, done.stream).position;
    for (const auto& w : done.waiters) fill_if_there(w.connection, w.slot, Byte::kOk);
    release_waiters(s);
  }
  if (s.outstanding > 0) return;
  if (s.broken || !status.ok()) {
    s.broken = false;
    load_durable(s);
  }
  const auto hellos = std::exchange(s.hellos, {});
  for (const auto& h : hellos)
    if (Connection* c = find(h.connection); c != nullptr) on_drained_hello(*c, s, h.slot, h.hello);
}

void ReceiverLink::on_drained_hello(Connection& c, Stream& s, std::uint64_t slot, const StreamHello& hello) {
  if (s.outstanding > 0) {
    s.hellos.push_back({c.id, slot, hello});
    return;
  }
  evaluate_stream_hello(c, s.id, hello, slot);
}

}  // namespace tidegate
