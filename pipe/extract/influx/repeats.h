// SPDX-License-Identifier: Apache-2.0
// Which requests came before: what makes sending one again safe, together with stored_parts.h.
//
//   * By Idempotency-Key: the same key of the same sender with the same content gets the first answer again;
//     with other content 422. While the first is in progress the second waits for its answer.
//   * An orphan: a request in progress whose client has gone. The same request from a new connection waits
//     until the first is settled, and then finds its parts stored, or not.
// In memory and bounded by number and age; all is forgotten at a restart (the stored parts are not). Any
// thread; waiters are called without a lock held.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/env.h"
#include "base/hash.h"
#include "pipe/extract/influx/reply.h"

namespace tidegate {

class Repeats {
 public:
  // The answer of the first request; nothing: go on as if this were the first.
  using Waiter = std::function<void(const std::optional<HttpReply>&)>;

  enum class Verdict : std::uint8_t {
    kNew,       // go on and call key_finished() whatever happens
    kRepeated,  // answer with `reply`
    kWait,      // the waiter will be called
    kOtherContent,
  };
  struct Found {
    Verdict verdict = Verdict::kNew;
    HttpReply reply;
  };

  Repeats(std::size_t keys_per_sender, Nanos age) : capacity_(keys_per_sender), age_(age) {}

  Found begin_key(const std::string& sender, const std::string& key, const Hash128& content, Nanos now,
                  Waiter waiter);
  // `final`: the outcome would be the same again (204, or 400 for bad lines) and is kept. Else the key is
  // free again; whoever waits gets the reply too.
  void key_finished(const std::string& sender, const std::string& key, const HttpReply& reply, bool final,
                    Nanos now);

  void orphaned(const Hash128& content);
  void orphan_settled(const Hash128& content);
  // True: there is such an orphan, and the waiter will be called.
  bool waits_for_orphan(const Hash128& content, Waiter waiter);

 private:
  struct Entry {
    Hash128 content;
    std::optional<HttpReply> reply;  // nothing: in progress
    std::vector<Waiter> waiters;
    std::uint64_t number = 0;  // tells an entry from a later one of the same key
  };
  struct Aged {
    std::string key;
    std::uint64_t number;
    Nanos since;
  };
  struct Sender {
    std::unordered_map<std::string, Entry> entries;
    std::deque<Aged> finished;  // oldest first; what is in progress is never forgotten
  };
  void trim(Sender& sender, Nanos now) const;

  const std::size_t capacity_;
  const Nanos age_;
  std::mutex mutex_;
  std::uint64_t next_number_ = 1;
  std::map<std::string, Sender> senders_;  // as many as are configured
  std::unordered_map<Hash128, std::vector<Waiter>, Bytes16Hasher> orphans_;
};

}  // namespace tidegate
