// SPDX-License-Identifier: Apache-2.0
// LinkStore: what one link carries: streams of this journal and of its outboxes, each from its own NearStore.
//
// One link shows one sender and one journal id. Two links of the same daemon (to two receivers, say) need
// different ones, or each would take the other's place at a receiver that both reach: identity_for().
// Thread rules: one thread (the link's), as NearStore.
#pragma once

#include <map>

#include "pipe/stream/near_store.h"

namespace tidegate {

struct LinkIdentity {
  Id sender, journal;
  bool operator==(const LinkIdentity&) const = default;
};
// Of a further link, from the daemon's own and what names the link ("10.0.0.9:9780"): always the same for the
// same names.
LinkIdentity identity_for(const LinkIdentity& own, const std::string& link);

class LinkStore final : public SenderStore {
 public:
  // `main` counts the sessions; it must outlive this, as every store that is carried.
  LinkStore(NearStore* main, LinkIdentity identity) : main_(main), identity_(identity) {}

  // A stream joins or is known already; its numbers and chains come from `store`.
  void carry(StreamId stream, NearStore* store, bool paused);
  void set_paused(StreamId stream, bool paused);
  // Up to where the stream may be sent now; asked with its head and gives at most that; never goes back.
  void set_limit(StreamId stream, std::function<Seq(Seq head)> limit);
  // The stream is no longer part of this link.
  void forget(StreamId stream) { carried_.erase(stream); }
  // This store goes away: the same, unless another one carries the stream by now.
  void forget(StreamId stream, const NearStore* store);
  bool carries(StreamId stream) const { return carried_.contains(stream); }

  // ---- SenderStore
  Id sender_id() const override { return identity_.sender; }
  Id journal_id() const override { return identity_.journal; }
  std::uint64_t session() const override { return main_->session(); }
  Status set_session(std::uint64_t session) override { return main_->set_session(session); }
  std::vector<StreamId> streams() const override;
  bool paused(StreamId stream) const override;
  std::string label(StreamId stream) const override { return of(stream).label(stream); }
  Seq head(StreamId stream) const override;
  Seq trimmed(StreamId stream) const override { return of(stream).trimmed(stream); }
  Seq confirmed(StreamId stream) const override { return of(stream).confirmed(stream); }
  Seq base(StreamId stream) const override { return of(stream).base(stream); }
  std::uint32_t generation(StreamId stream) const override { return of(stream).generation(stream); }
  std::optional<Hash128> chain(StreamId stream, Seq n) const override { return of(stream).chain(stream, n); }
  Result<OutgoingBatches> load(StreamId stream, Seq from, Seq last, std::size_t max_body) override {
    return of(stream).load(stream, from, last, max_body);
  }
  std::optional<MissingRange> missing(StreamId stream, Seq from) const override {
    return of(stream).missing(stream, from);
  }
  bool gap_allowed(StreamId stream) const override { return of(stream).gap_allowed(stream); }
  Status set_confirmed(StreamId stream, Seq confirmed) override {
    return of(stream).set_confirmed(stream, confirmed);
  }
  Status fork(StreamId stream, std::uint32_t generation, Seq base) override {
    return of(stream).fork(stream, generation, base);
  }
  Status note(const LedgerNote& entry) override { return of(entry.stream).note(entry); }
  Status ended(StreamId stream) override;

 private:
  struct Carried {
    NearStore* store = nullptr;
    bool paused = false;
    std::function<Seq(Seq)> limit;
  };
  // A stream that is not carried has nothing in any store: the main one says so.
  NearStore& of(StreamId stream) const;

  NearStore* main_;
  LinkIdentity identity_;
  std::map<StreamId, Carried> carried_;
};

}  // namespace tidegate
