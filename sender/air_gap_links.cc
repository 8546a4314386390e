// SPDX-License-Identifier: Apache-2.0
#include "sender/air_gap_links.h"

#include "sender/air_gap_carrier.h"

namespace tidegate {

AirGapLinks::AirGapLinks(Env env, Loop* loop, NearStore* main, AirGapLinksOptions options)
    : env_(env), loop_(loop), gate_(loop), main_(main), options_(std::move(options)) {
  own_ = &link({});
}

AirGapLinks::~AirGapLinks() = default;

Result<std::string> AirGapLinks::link_of(const Attributes& connector) const {
  const std::string host = read_text(connector, "ip");
  TG_TRY(const std::int64_t port, read_integer(connector, PluginKind::kConnector, "port", 9780, 1, 65535));
  if (host.empty()) return std::string();
  const std::string address = Endpoint{host, static_cast<std::uint16_t>(port)}.text();
  return address == options_.link.remote.text() ? std::string() : address;
}

Id AirGapLinks::journal_of(const std::string& link) const {
  return link.empty() ? options_.identity.journal : identity_for(options_.identity, link).journal;
}

AirGapLinks::Link& AirGapLinks::link(const std::string& name) {
  std::unique_ptr<Link>& place = links_[name];
  if (place) return *place;
  place =
      std::make_unique<Link>(main_, name.empty() ? options_.identity : identity_for(options_.identity, name));
  AirGapConnectorOptions link = options_.link;
  if (!name.empty()) {
    const std::size_t colon = name.rfind(':');
    link.remote.host = name.starts_with('[') ? name.substr(1, colon - 2) : name.substr(0, colon);
    link.remote.port = static_cast<std::uint16_t>(std::stoul(name.substr(colon + 1)));
  }
  place->address = link.remote.text();
  place->connector = std::make_unique<AirGapConnector>(loop_, env_.clock, env_.random, &place->store,
                                                       std::move(link), options_.notices);
  if (options_.beat) place->connector->link().set_beat_source(options_.beat);
  return *place;
}

std::unique_ptr<Carrier> AirGapLinks::make_carrier(const Attributes& connector, const CarrierPlan& plan) {
  const auto name = link_of(connector);
  if (!name.ok()) return nullptr;
  Link* carrying = nullptr;
  const Status made = in_loop([&] {
    carrying = &link(*name);
    return Status();
  });
  if (!made.ok()) return nullptr;
  return std::make_unique<AirGapCarrier>(env_, *this, *carrying, plan);
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
