// SPDX-License-Identifier: Apache-2.0
// Which requests came before: what makes sending one again safe.
//
//   * By Idempotency-Key: the same key of the same sender with the same content gets the first answer again;
//   with
//     other content 422. While the first is in progress the second waits for its answer.
//   * By content: a request whose 204 could not be delivered, when it comes again byte for byte (target and
//   body),
//     gets its 204. The caller gives only requests all of whose lines carry times.
// Nothing else is a repetition. In memory and bounded: after a restart, an hour or 4,096 newer keys (as
// configured) a repeated request is stored again. Any thread; waiters are called without a lock held.
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
  // The outcome of the first request; nothing: it is of no use, go on as if this were the first.
  using Waiter = std::function<void(const std::optional<HttpReply>&)>;

  enum class Verdict : std::uint8_t {
    kNew,       // go on; with a key: call key_finished() whatever happens
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

  Found begin_content(const Hash128& content, Nanos now, Waiter waiter);
  // The client of a request in progress is gone: the next one like it waits for its outcome.
  void orphaned(const Hash128& content, Nanos now);
  // The 204 could not be delivered.
  void undelivered(const Hash128& content, const HttpReply& reply, Nanos now);
  // The request is answered or has failed: the next one like it is a new one.
  void forget(const Hash128& content);

 private:
  struct Entry {
    Hash128 content;
    std::optional<HttpReply> reply;  // nothing: in progress
    std::vector<Waiter> waiters;
    std::uint64_t number = 0;  // tells an entry from a later one of the same name
    Nanos since = 0;
  };
  // Entries by name, the oldest forgotten first; those in progress are never forgotten.
  template <class Name, class Hasher>
  struct Table {
    std::unordered_map<Name, Entry, Hasher> entries;
    struct Aged {
      Name name;
      std::uint64_t number;
      Nanos since;
    };
    std::deque<Aged> order;  // finished entries
  };
  template <class Name, class Hasher>
  void finish(Table<Name, Hasher>& table, const Name& name, const HttpReply& reply, Nanos now);
  template <class Name, class Hasher>
  void trim(Table<Name, Hasher>& table, Nanos now);

  const std::size_t capacity_;
  const Nanos age_;
  std::mutex mutex_;
  std::uint64_t next_number_ = 1;
  std::map<std::string, Table<std::string, std::hash<std::string>>>
      keys_;  // by sender: as many as configured
  Table<Hash128, Bytes16Hasher> contents_;
};

}  // namespace tidegate
