// SPDX-License-Identifier: Apache-2.0
// For the tests of pipe/journal: a state that notices every record folded twice, out of order or not at all,
// and a fixture with a journal on a simulated disk.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/sim_env.h"
#include "pipe/journal/journal.h"

namespace tidegate {

// A fold whose digest depends on every record, its order and how often it was seen.
class ChainState final : public JournalState {
 public:
  using Damage = std::set<std::pair<Lsn, Lsn>>;

  Bytes checkpoint() override {
    ++checkpoints;
    Bytes out(padding, 0);
    ByteWriter w(out);
    w.bytes(digest.view());
    w.u64(last);
    w.u32(static_cast<std::uint32_t>(damage.size()));
    for (const auto& [first, end] : damage) {
      w.u64(first);
      w.u64(end);
    }
    return out;
  }
  Status restore(ByteView checkpoint) override {
    if (refuse_restore) return make_error(ErrorCode::kUnsupported, "a state of another version");
    ByteReader r(checkpoint.subspan(padding));
    digest = read16(r);
    last = r.u64();
    damage.clear();
    for (std::uint32_t n = r.count32(16); n > 0; --n) {
      const Lsn first = r.u64();
      damage.emplace(first, r.u64());
    }
    return r.ok() ? Status() : make_error(ErrorCode::kMalformed, "not a checkpoint of ChainState");
  }
  void on_batches(const RecordMeta& meta) override {
    Bytes in = to_bytes(digest.view());
    ByteWriter w(in);
    w.u8(0);
    w.u64(meta.first_lsn);
    w.u32(meta.count);
    for (const Hash128& hash : meta.hashes) w.bytes(hash.view());
    digest = xxh3_128(in);
    last = meta.last_lsn();
  }
  void on_note(std::uint8_t type, ByteView body) override {
    Bytes in = to_bytes(digest.view());
    ByteWriter w(in);
    w.u8(type);
    w.bytes32(body);
    digest = xxh3_128(in);
  }
  void on_damage(Lsn first, Lsn end) override {
    damage.emplace(first, end);
    last = std::max(last, end);
  }
  void on_durable(Lsn lsn) override { durable = lsn; }

  Hash128 digest;
  Lsn last = 0;
  Damage damage;
  Lsn durable = 0;
  std::size_t padding = 0;  // makes checkpoints large
  int checkpoints = 0;
  bool refuse_restore = false;
};

inline RecordMeta meta_for(ByteView container, std::uint32_t count = 1) {
  RecordMeta meta;
  meta.count = count;
  for (std::uint32_t i = 0; i < count; ++i) {
    Bytes in = to_bytes(container);
    in.push_back(static_cast<std::uint8_t>(i));
    meta.hashes.push_back(xxh3_128(in));
  }
  meta.decoded_size = static_cast<std::uint32_t>(container.size());
  return meta;
}

class JournalTest : public testing::Test {
 protected:
  JournalTest() {
    options.directory = "/j";
    options.segment_bytes = 4096;
    options.reserve_bytes = 0;
  }

  // The journal of the process before is gone before the next one opens.
  Status try_open() {
    journal.reset();
    state = std::make_unique<ChainState>();
    state->padding = state_padding;
    auto opened = Journal::open(env.env(), options, state.get());
    if (!opened.ok()) return std::move(opened).error();
    journal = std::move(*opened);
    return {};
  }
  void open() {
    const Status opened = try_open();
    ASSERT_TRUE(opened.ok()) << opened.error().text();
  }
  void kill_and_open() {
    journal.reset();
    env.files.process_crash();
    open();
  }
  void cut_power_and_open() {
    journal.reset();
    env.files.power_cut(env.random);
    open();
  }
  void close_and_open() {
    ASSERT_TRUE(journal->close().ok());
    kill_and_open();
  }

  static Bytes content(std::size_t size, std::uint8_t fill) { return Bytes(size, fill); }
  Result<Lsn> append(std::size_t size = 100, std::uint8_t fill = 'a', std::uint32_t count = 1) {
    const Bytes bytes = content(size, fill);
    return journal->append(meta_for(bytes, count), bytes);
  }
  // Appends and expects the next LSN.
  void put(std::size_t size = 100, std::uint8_t fill = 'a') {
    const Lsn next = journal->head() + 1;
    const auto lsn = append(size, fill);
    ASSERT_TRUE(lsn.ok()) << lsn.error().text();
    ASSERT_EQ(*lsn, next);
  }
  void put_many(int n, std::size_t size = 100) {
    for (int i = 0; i < n; ++i) put(size, static_cast<std::uint8_t>(journal->head() + 1));
  }
  void sync() {
    const Status done = journal->sync();
    ASSERT_TRUE(done.ok()) << done.error().text();
  }
  void note(std::string_view text, std::uint8_t type = 16) {
    const Status done = journal->append_note(type, as_bytes(text));
    ASSERT_TRUE(done.ok()) << done.error().text();
  }

  // LSNs that can be read, in order; damaged ranges are skipped and returned in `holes`.
  std::vector<Lsn> read_all(std::vector<std::pair<Lsn, Lsn>>* holes = nullptr) {
    std::vector<Lsn> out;
    Journal::Reader reader = journal->reader(journal->first_lsn());
    for (;;) {
      const Lsn from = reader.position();
      auto record = reader.next();
      if (!record.ok()) {
        EXPECT_EQ(record.error().code, ErrorCode::kDamaged) << record.error().text();
        EXPECT_GT(record.error().sequence.value_or(0), from);
        if (holes != nullptr) holes->emplace_back(from, record.error().sequence.value_or(from + 1) - 1);
        reader.skip_to(record.error().sequence.value_or(from + 1));
        continue;
      }
      if (!*record) return out;
      for (Lsn lsn = (*record)->meta.first_lsn; lsn <= (*record)->meta.last_lsn(); ++lsn) out.push_back(lsn);
    }
  }
  static std::vector<Lsn> range(Lsn first, Lsn last) {
    std::vector<Lsn> out;
    for (Lsn lsn = first; lsn <= last; ++lsn) out.push_back(lsn);
    return out;
  }
  std::string last_segment() const { return journal->segments().back().path; }
  std::vector<std::string> segment_files() {
    std::vector<std::string> out;
    const std::vector<std::string> names = env.files.list("/j").value();
    for (const std::string& name : names) {
      if (name.ends_with(".tgj")) out.push_back("/j/" + name);
    }
    return out;
  }
  std::uint64_t size_of(const std::string& path) {
    return env.files.open(path, OpenMode::kRead).value()->size().value();
  }
  static ErrorCode code(const Status& status) {
    return status.ok() ? ErrorCode::kInternal : status.error().code;
  }
  template <class T>
  static ErrorCode code(const Result<T>& result) {
    return result.ok() ? ErrorCode::kInternal : result.error().code;
  }

  SimEnv env{1};
  JournalOptions options;
  std::size_t state_padding = 0;
  std::unique_ptr<ChainState> state;
  std::unique_ptr<Journal> journal;
};

}  // namespace tidegate
