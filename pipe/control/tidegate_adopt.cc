// SPDX-License-Identifier: Apache-2.0
#include "pipe/control/tidegate_adopt.h"

#include <algorithm>

#include "pipe/journal/identity.h"
#include "pipe/stream/near_store.h"

namespace tidegate {
namespace {

Error told(Error error) {
  if (error.code == ErrorCode::kLocked) {
    error.detail += "; stop the daemon first (`systemctl stop tidegate-sender`)";
  } else {
    error.detail += "; when that is mended, repeat the command";
  }
  return error;
}

class Adoption {
 public:
  Adoption(Env env, Journal& journal, NearStore& store) : env_(env), journal_(journal), store_(store) {}

  Status raise_session() {
    const auto now_ms =
        static_cast<std::uint64_t>(std::max<std::int64_t>(env_.clock->wall_micros(), 0) / 1000);
    return store_.set_session(std::max(store_.session() + 1, now_ms));
  }

  // The same numbers from confirmed on, in a generation of their own.
  Result<AdoptReport::Stream> fork(StreamId id) {
    AdoptReport::Stream out{id, id, store_.label(id), store_.generation(id) + 1, store_.confirmed(id)};
    TG_CHECK(store_.fork(id, out.generation, out.base));
    const Seq head = store_.head(id);
    if (head > out.base)
      TG_CHECK(store_.note(
          {"fork", id, out.base + 1, head, "this box adopted the journal: these are sent again"}));
    return out;
  }

  // Another stream for what is not confirmed. It is there before the old one goes.
  Result<AdoptReport::Stream> renew(StreamId id) {
    const auto old = store_.info(id);
    if (!old) return make_error(ErrorCode::kInternal, "stream " + std::to_string(id) + " is not there");
    const Lsn first = std::max(old->lsn_of(old->confirmed + 1), journal_.first_lsn());
    AdoptReport::Stream out{id, 0, store_.label(id), 1, old->confirmed};
    const bool all_confirmed = old->end_lsn != 0 && first > old->end_lsn;
    if (!all_confirmed) {
      TG_TRY(out.is, store_.create_stream(out.label, first, old->end_lsn));
    }
    TG_CHECK(store_.drop_stream(id, "the journal was adopted as new"));
    TG_CHECK(store_.note({"stream-ended", id, old->confirmed, old->confirmed,
                          all_confirmed ? "the journal was adopted as new: all of it is confirmed"
                                        : "the journal was adopted as new: stream " + std::to_string(out.is) +
                                              " goes on behind this number"}));
    return out;
  }

 private:
  Env env_;
  Journal& journal_;
  NearStore& store_;
};

Result<AdoptReport> adopt_open(Env env, Journal& journal, StreamState& state, bool as_new) {
  NearStore store(env, &journal, &state, {});
  TG_CHECK(store.recover());
  Adoption adoption(env, journal, store);
  TG_CHECK(adoption.raise_session());
  AdoptReport report;
  report.journal = journal.id();
  report.session = store.session();
  for (const StreamId id : store.streams()) {
    TG_TRY(auto stream, as_new ? adoption.renew(id) : adoption.fork(id));
    report.streams.push_back(std::move(stream));
  }
  TG_CHECK(journal.close());
  return report;
}

}  // namespace

Result<AdoptReport> adopt_sender(Env env, const JournalOptions& options, bool as_new) {
  const auto identity = adopt_journal(env, options.directory, options.machine_id, as_new);
  if (!identity.ok()) return told(identity.error());
  JournalOptions existing = options;
  existing.create = false;
  StreamState state;
  auto journal = Journal::open(env, existing, &state);
  if (!journal.ok()) return told(journal.error());
  auto report = adopt_open(env, **journal, state, as_new);
  return report.ok() ? std::move(report) : told(report.error());
}

}  // namespace tidegate
