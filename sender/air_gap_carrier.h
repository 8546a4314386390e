// SPDX-License-Identifier: Apache-2.0
// AirGapCarrier: a pipe as a stream of a link.
#pragma once

#include <condition_variable>
#include <mutex>

#include "sender/air_gap_links.h"

namespace tidegate {

class AirGapCarrier final : public Carrier {
 public:
  AirGapCarrier(Env env, AirGapLinks& links, AirGapLinks::Link& link, CarrierPlan plan,
                std::string unavailable);
  ~AirGapCarrier() override;

  // The streams that the pipe has from before: known to the link, and paused. Once, after it is made.
  Status take_up_paused();

  Status start() override;
  Status stop() override;
  bool is_succeeded_by(const Carrier& next) const override {
    const auto* link = dynamic_cast<const AirGapCarrier*>(&next);
    return link != nullptr && link->plan_.from.journal == plan_.from.journal;
  }
  bool stop_waits() const override { return false; }
  Status leave() override;
  void notify() override { links_.notify(); }
  void tick() override;
  PipeStatus status() const override;
  std::optional<Lsn> pinned() const override;

 private:
  // All in the loop's thread.
  Status take_up();
  Status open_store();
  Status part_with_strangers(Lsn* start_after);
  Status make_streams();
  std::vector<NearStream> streams() const;  // of this pipe, ascending
  void look();
  void ask_for_room();
  Status part_with_streams();

  Env env_;
  AirGapLinks& links_;
  AirGapLinks::Link& link_;
  const CarrierPlan plan_;
  const std::string unavailable_;         // why it cannot be started; empty: it can
  std::unique_ptr<NearStore> own_store_;  // of an outbox
  NearStore* store_ = nullptr;
  bool paused_ = true;

  mutable std::mutex mutex_;  // guards status_
  PipeStatus status_;
};

}  // namespace tidegate
