// SPDX-License-Identifier: Apache-2.0
// For the tests of pipe/stream: a journal with its state and stores on a simulated disk, and small batches.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/sim_env.h"
#include "pipe/stream/far_store.h"
#include "pipe/stream/near_store.h"
#include "pipe/stream/pipe_positions.h"

namespace tidegate {

#define TG_OK(expression)                              \
  do {                                                 \
    auto&& tg_got = (expression);                      \
    ASSERT_TRUE(tg_got.ok()) << tg_got.error().text(); \
  } while (false)

inline Id id_of(std::uint8_t n) {
  Id id;
  id.bytes.fill(n);
  return id;
}

// A batch of one event whose content depends on `n`, about `size` bytes.
inline Batch batch_of(std::uint64_t n, std::size_t size = 40) {
  Opaque opaque{"test", Bytes(size, 0)};
  std::uint64_t seed = n;
  seed = split_mix64(&seed);  // else neighbours would be the same bytes, shifted
  for (std::uint8_t& byte : opaque.body) byte = static_cast<std::uint8_t>(split_mix64(&seed));
  return make_batch(BatchHead{TimeUnit::kSecond, 0, "rig"}, EventKind::kOpaque, {opaque});
}

inline Container container_of(const std::vector<Batch>& batches, Codec codec = Codec::kList) {
  std::vector<ByteView> views;
  for (const Batch& batch : batches) views.push_back(batch.canonical);
  return encode_container(codec, views).value();
}

inline RecordMeta meta_of(const std::vector<Batch>& batches, const Container& container) {
  RecordMeta meta;
  meta.count = static_cast<std::uint32_t>(batches.size());
  meta.codec = container.codec;
  meta.decoded_size = container.decoded_size;
  for (const Batch& batch : batches) {
    meta.hashes.push_back(batch.hash);
    meta.events += batch.summary.events;
  }
  return meta;
}

// One daemon's journal. reopen() is a stop and a start of the process.
struct Box {
  explicit Box(std::uint64_t seed = 1) : sim(seed) {
    options.directory = "/journal";
    options.segment_bytes = 64 << 10;
    options.reserve_bytes = 0;
  }
  Status open() {
    near.reset(), far.reset(), journal.reset();
    state = std::make_unique<StreamState>();
    auto opened = Journal::open(sim.env(), options, state.get());
    if (!opened.ok()) return std::move(opened).error();
    journal = std::move(*opened);
    near_options.sender_id = id_of(0xA1);
    far_options.receiver_id = id_of(0xB1);
    near = std::make_unique<NearStore>(sim.env(), journal.get(), state.get(), near_options);
    far = std::make_unique<FarStore>(sim.env(), journal.get(), state.get(), far_options);
    return {};
  }
  void close() { near.reset(), far.reset(), journal.reset(), state.reset(); }
  Status reopen() {
    close();
    sim.files.process_crash();
    return open();
  }
  Status power_cut() {
    close();
    sim.files.power_cut(sim.random);
    return open();
  }
  Result<Lsn> append(const std::vector<Batch>& batches, Codec codec = Codec::kList) {
    const Container container = container_of(batches, codec);
    return journal->append(meta_of(batches, container), container.bytes);
  }
  // `count` records of one batch each, contents counted from `from`, then a sync.
  Status fill(std::uint64_t from, std::uint64_t count, std::size_t size = 40) {
    for (std::uint64_t i = 0; i < count; ++i) {
      auto lsn = append({batch_of(from + i, size)});
      if (!lsn.ok()) return std::move(lsn).error();
    }
    return journal->sync();
  }
  std::int64_t wall() { return sim.clock.wall_micros(); }

  SimEnv sim;
  JournalOptions options;
  NearStoreOptions near_options;
  FarStoreOptions far_options;
  std::unique_ptr<StreamState> state;
  std::unique_ptr<Journal> journal;
  std::unique_ptr<NearStore> near;
  std::unique_ptr<FarStore> far;
};

// The chains of a stream by the definition: chains[n] for n = 0 .. batches.
inline std::vector<Hash128> chains_of_batches(const Id& journal, StreamId stream,
                                              const std::vector<Hash128>& hashes) {
  std::vector<Hash128> chains{chain_zero(journal, stream)};
  for (std::size_t i = 0; i < hashes.size(); ++i)
    chains.push_back(chain_next(chains.back(), i + 1, hashes[i]));
  return chains;
}

inline const Id kSender = id_of(0xA1);
inline const Id kJournal = id_of(0x77);
inline constexpr StreamId kStream = 3;

// What a sender of one stream says, with the true chains beside it.
struct FakeSender {
  std::vector<Hash128> hashes;  // of seq 1, 2, ...
  std::vector<Hash128> chains{chain_zero(kJournal, kStream)};
  std::vector<Batch> batches;
  std::uint32_t generation = 1;

  Seq head() const { return batches.size(); }
  void add(std::uint64_t content) {
    batches.push_back(batch_of(content));
    hashes.push_back(batches.back().hash);
    chains.push_back(chain_next(chains.back(), head(), hashes.back()));
  }
  void cut(Seq base) { batches.resize(base), hashes.resize(base), chains.resize(base + 1); }
  StoreBatches frame(Seq first, Seq last, std::uint32_t skip = 0) const {
    const std::vector<Batch> part(batches.begin() + static_cast<long>(first) - 1,
                                  batches.begin() + static_cast<long>(last));
    Container container = container_of(part, Codec::kZstd);
    StoreBatches out{kJournal, kStream, generation, first, chains[first - 1]};
    for (const Batch& batch : part) out.hashes.push_back(batch.hash);
    out.hops = {kJournal};
    out.skip = skip;
    out.codec = container.codec;
    out.decoded_size = container.decoded_size;
    out.container = std::move(container.bytes);
    return out;
  }
};

}  // namespace tidegate
