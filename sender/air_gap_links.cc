// SPDX-License-Identifier: Apache-2.0
#include "sender/air_gap_links.h"

#include <algorithm>

#include "base/log.h"
#include "pipe/connect/node_urls.h"

#include "sender/air_gap_carrier.h"

namespace tidegate {

AirGapLinks::AirGapLinks(Env env, Loop* loop, NearStore* main, AirGapLinksOptions options)
    : env_(env), loop_(loop), gate_(loop), main_(main), options_(std::move(options)) {
  own_ = &link({{}, options_.link, {}});
}

AirGapLinks::~AirGapLinks() = default;

AirGapLinks::Wanted AirGapLinks::wanted(const Attributes& connector) const {
  Wanted out{{}, options_.link, {}};
  SenderLinkOptions& link = out.options.link;
  if (connector.values.contains("ip") || connector.values.contains("node-urls")) {
    const auto addresses = read_addresses(connector);
    if (!addresses.ok()) return out.unavailable = addresses.error().text(), out;
    out.options.remote = addresses->front();
    if (addresses->size() > 1)
      out.unavailable = "a native link goes to one address of the device: name one in 'connector.node-urls'";
  }
  const auto timeout = read_integer(connector, PluginKind::kConnector, "air-gap.handshake-timeout-ms",
                                    link.handshake_timeout / kLinkMillisecond);
  const auto wrap = read_bool(connector, PluginKind::kConnector, "air-gap.e-language.enable",
                              link.wrap == Wrap::kELanguage);
  if (timeout.ok()) link.handshake_timeout = *timeout * kLinkMillisecond;
  if (wrap.ok()) link.wrap = *wrap ? Wrap::kELanguage : Wrap::kNone;
  if (read_text(connector, "dialect", "native") != "native")
    out.unavailable =
        "this version cannot speak IoTDB's air-gap dialect yet: 'connector.dialect'='native' goes to "
        "a tidegate-receiver";
  const SenderLinkOptions& usual = options_.link.link;
  const bool same = link.handshake_timeout == usual.handshake_timeout && link.wrap == usual.wrap;
  if (same && out.options.remote.text() == options_.link.remote.text()) return out;
  out.name = out.options.remote.text();
  if (link.wrap != usual.wrap) out.name += link.wrap == Wrap::kNone ? ", no E language" : ", E language";
  if (link.handshake_timeout != usual.handshake_timeout)
    out.name += ", handshake " + std::to_string(link.handshake_timeout / kLinkMillisecond) + " ms";
  return out;
}

Id AirGapLinks::journal_of(const Attributes& connector) const {
  const std::string name = wanted(connector).name;
  return name.empty() ? options_.identity.journal : identity_for(options_.identity, name).journal;
}

AirGapLinks::Link& AirGapLinks::link(const Wanted& wanted) {
  std::unique_ptr<Link>& place = links_[wanted.name];
  if (place) return *place;
  place = std::make_unique<Link>(
      main_, wanted.name.empty() ? options_.identity : identity_for(options_.identity, wanted.name));
  place->address = wanted.options.remote.text();
  place->connector = std::make_unique<AirGapConnector>(loop_, env_.clock, env_.random, &place->store,
                                                       wanted.options, options_.notices);
  if (options_.beat) place->connector->link().set_beat_source(options_.beat);
  return *place;
}

std::unique_ptr<Carrier> AirGapLinks::make_carrier(const Attributes& connector, const CarrierPlan& plan) {
  const Wanted what = wanted(connector);
  Link* carrying = own_;
  std::string unavailable = what.unavailable;
  if (unavailable.empty()) {
    const Status made = in_loop([&] {
      carrying = &link(what);
      return Status();
    });
    if (!made.ok()) unavailable = made.error().text();
  }
  auto carrier = std::make_unique<AirGapCarrier>(env_, *this, *carrying, plan, std::move(unavailable));
  if (const Status taken = carrier->take_up_paused(); !taken.ok())
    log_error("pipe", plan.pipe + ": its streams cannot be taken up: " + taken.error().text());
  return carrier;
}

Status AirGapLinks::drop_others() {
  for (const StreamId id : main_->streams()) {
    const bool taken =
        std::ranges::any_of(links_, [&](const auto& l) { return l.second->store.carries(id); });
    if (!taken) TG_CHECK(main_->drop_stream(id, "its pipe is gone"));
  }
  return {};
}

void AirGapLinks::start() {
  gate_.entered();
  running_ = true;
  for (auto& [name, link] : links_)
    if (!std::exchange(link->started, true)) link->connector->start();
}

void AirGapLinks::stop(std::function<void()> done) {
  auto left = std::make_shared<std::size_t>(0);
  for (auto& [name, link] : links_) *left += link->started;
  if (*left == 0) return done();
  for (auto& [name, link] : links_)
    if (link->started)
      link->connector->stop([left, done] {
        if (--*left == 0) done();
      });
}

void AirGapLinks::request_confirm() {
  for (auto& [name, link] : links_) link->connector->request_confirm();
}

std::vector<std::pair<std::string, AirGapConnector*>> AirGapLinks::all() {
  std::vector<std::pair<std::string, AirGapConnector*>> out;
  for (auto& [name, link] : links_) out.emplace_back(link->address, link->connector.get());
  return out;
}

void AirGapLinks::notify() {
  loop_->post([this] {
    for (auto& [name, link] : links_)
      if (link->started) link->connector->notify_batches();
  });
}

}  // namespace tidegate
