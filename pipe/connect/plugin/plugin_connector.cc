// SPDX-License-Identifier: Apache-2.0
#include "pipe/connect/plugin/plugin_connector.h"

#include <algorithm>
#include <utility>

namespace tidegate {
namespace {

using tgplugin::FrameType;
using tgplugin::PluginHost;

constexpr Nanos kLongestWish = 3600 * kSecond;  // how long a plugin may ask to be left alone
constexpr Nanos kToClose = 5 * kSecond;

class PluginConnector final : public Connector {
 public:
  PluginConnector(PluginRuntime runtime, tgplugin::Start start, std::unique_ptr<PluginHost> host,
                  std::string description)
      : runtime_(std::move(runtime)),
        start_(std::move(start)),
        host_(std::move(host)),
        description_(std::move(description)) {}

  std::string describe() const override { return description_; }
  Status open(Lsn position, ByteView state) override;
  DeliverResult deliver(const std::vector<DeliverableBatch>& batches,
                        const std::function<bool()>& stop) override;
  void close() override { host_->close(kToClose); }

 private:
  Status start_again();
  DeliverResult halt(const Error& error);
  DeliverResult take(const tgplugin::Answer& answer, const std::vector<DeliverableBatch>& batches);
  DeliverResult take_delivered(ByteView body, const std::vector<DeliverableBatch>& batches);
  DeliverResult take_retry(ByteView body);

  const PluginRuntime runtime_;
  const tgplugin::Start start_;
  std::unique_ptr<PluginHost> host_;
  const std::string description_;
};

Status PluginConnector::start_again() {
  TG_TRY(tgplugin::Instance instance, tgplugin::create_instance(runtime_, start_));
  host_ = std::move(instance.host);
  return {};
}

Status PluginConnector::open(Lsn position, ByteView state) {
  if (!host_->running()) TG_CHECK(start_again());
  TG_TRY(const tgplugin::Answer answer,
         host_->call(FrameType::kOpen, tgplugin::encode(tgplugin::Opening{position, state}), "open"));
  if (answer.type == FrameType::kDone) return {};
  const DeliverResult no = take(answer, {});
  const bool later = no.kind == DeliverResult::Kind::kRetry;
  return make_error(later ? ErrorCode::kUnreachable : ErrorCode::kRefused, no.message);
}

DeliverResult PluginConnector::deliver(const std::vector<DeliverableBatch>& batches,
                                       const std::function<bool()>& stop) {
  std::vector<tgplugin::NumberedBatch> numbered;
  for (const DeliverableBatch& batch : batches) numbered.push_back({batch.lsn, batch.canonical});
  Result<tgplugin::Answer> answer =
      host_->call(FrameType::kDeliver, tgplugin::encode(numbered), "deliver", stop);
  if (answer.ok()) return take(*answer, batches);
  if (answer.error().code != ErrorCode::kClosed) return halt(answer.error());
  DeliverResult stopped;
  stopped.kind = DeliverResult::Kind::kRetry;
  stopped.message = answer.error().text();
  return stopped;
}

DeliverResult PluginConnector::halt(const Error& error) {
  host_->close(kSecond);
  DeliverResult result;
  result.kind = DeliverResult::Kind::kStop;
  result.message = (error.path.empty() ? "" : error.path + ": ") + error.detail;
  return result;
}

DeliverResult PluginConnector::take(const tgplugin::Answer& answer,
                                    const std::vector<DeliverableBatch>& batches) {
  if (answer.type == FrameType::kDone) return take_delivered(answer.body, batches);
  if (answer.type == FrameType::kRetry) return take_retry(answer.body);
  const Result<std::string> why = tgplugin::decode_text(answer.body);
  return halt(host_->error(ErrorCode::kRefused, "stops: " + (why.ok() ? *why : why.error().detail)));
}

DeliverResult PluginConnector::take_retry(ByteView body) {
  const Result<tgplugin::Retry> retry = tgplugin::decode_retry(body);
  if (!retry.ok())
    return halt(host_->error(ErrorCode::kRefused, "answers nonsense: " + retry.error().detail));
  DeliverResult result;
  result.kind = DeliverResult::Kind::kRetry;
  result.message = host_->error(ErrorCode::kUnreachable, "waits: " + retry->message).detail;
  result.retry_after = static_cast<Nanos>(std::min<std::uint64_t>(retry->after_ns, kLongestWish));
  return result;
}

DeliverResult PluginConnector::take_delivered(ByteView body, const std::vector<DeliverableBatch>& batches) {
  Result<tgplugin::Delivered> delivered = tgplugin::decode_delivered(body);
  if (!delivered.ok()) {
    return halt(host_->error(ErrorCode::kRefused, "answers nonsense: " + delivered.error().detail));
  }
  std::uint64_t events = 0;
  for (const DeliverableBatch& batch : batches) events += batch.summary.events;
  if (delivered->written_events > events || delivered->skipped_events > events - delivered->written_events) {
    return halt(host_->error(ErrorCode::kRefused,
                             "says it took more events than it got (" + std::to_string(events) + ")"));
  }
  DeliverResult result;
  for (tgplugin::Letter& letter : delivered->letters) {
    if (letter.batch >= batches.size()) {
      return halt(host_->error(ErrorCode::kRefused, "names a dead letter of a batch that it did not get"));
    }
    DeadLetter dead{batches[letter.batch].lsn, std::move(letter.reason), std::move(letter.line)};
    dead.database = std::move(letter.target);
    result.dead.push_back(std::move(dead));
  }
  result.message = std::move(delivered->message);
  result.state = std::move(delivered->state);
  result.written_events = delivered->written_events;
  result.skipped_events = delivered->skipped_events;
  return result;
}

}  // namespace

Result<std::unique_ptr<Connector>> make_plugin_connector(const PluginRuntime& runtime,
                                                         const ExternalPlugin& plugin,
                                                         const Attributes& attributes,
                                                         const std::string& pipe) {
  TG_TRY(tgplugin::Start start, tgplugin::prepare(plugin, PluginKind::kConnector, attributes, pipe));
  TG_TRY(tgplugin::Instance instance, tgplugin::create_instance(runtime, start));
  TG_TRY(tgplugin::Created created, tgplugin::decode_created(instance.created));
  return std::unique_ptr<Connector>(std::make_unique<PluginConnector>(
      runtime, std::move(start), std::move(instance.host), std::move(created.description)));
}

}  // namespace tidegate
