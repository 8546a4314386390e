// SPDX-License-Identifier: Apache-2.0
#include "pipe/process/plugin/plugin_processor.h"

#include <utility>

#include "pipe/engine/row_output.h"
#include "pipe/process/processor_state.h"

namespace tidegate {
namespace {

using tgplugin::FrameType;
using tgplugin::PluginHost;

// Secrets must not stand in a state.
std::string meaning_of(const tgplugin::Settings& settings) {
  return "attributes " + to_hex(sha256(tgplugin::encode(settings)));
}

class PluginProcessor final : public Processor {
 public:
  PluginProcessor(PluginRuntime runtime, tgplugin::Start start)
      : runtime_(std::move(runtime)), start_(std::move(start)), meaning_(meaning_of(start_.settings)) {}
  Status begin();

  std::string describe() const override { return description_; }
  Status process(const BatchView& batch, std::vector<Batch>* out) override;
  Bytes state() const override;
  Status restore(ByteView state) override;

 private:
  Status start_again();
  Status process_now(const BatchView& batch, std::vector<Batch>* made);
  Result<Batch> output(const BatchView& input, const std::optional<ByteView>& given) const;
  Error refuse(const std::string& detail) const { return host_->error(ErrorCode::kRefused, detail); }
  const std::string& name() const { return start_.plugin.info.name; }

  const PluginRuntime runtime_;
  const tgplugin::Start start_;
  const std::string meaning_;  // of the settings, in the head of the state
  std::string description_;
  std::unique_ptr<PluginHost> host_;  // null after a failure
  std::optional<Bytes> state_;  // the plugin's own, after the last batch that went well; empty: it keeps none
};

Status PluginProcessor::begin() {
  TG_TRY(tgplugin::Instance instance, tgplugin::create_instance(runtime_, start_));
  TG_TRY(const tgplugin::Created created, tgplugin::decode_created(instance.created));
  host_ = std::move(instance.host);
  description_ = created.description.empty() ? name() : created.description;
  if (created.state) state_ = to_bytes(*created.state);
  return {};
}

Status PluginProcessor::start_again() {
  const std::optional<Bytes> known = state_;
  TG_CHECK(begin());
  if (!known) return {};
  state_ = known;
  const auto restored = host_->demand(FrameType::kRestore, *known, "restore", ErrorCode::kRefused);
  return restored.ok() ? Status() : Status(restored.error());
}

Status PluginProcessor::process(const BatchView& batch, std::vector<Batch>* out) {
  std::vector<Batch> made;
  Status done = host_ ? Status() : start_again();
  if (done.ok()) done = process_now(batch, &made);
  if (!done.ok()) return host_.reset(), done;  // what that process remembers is not known any more
  for (Batch& one : made) out->push_back(std::move(one));
  return {};
}

Status PluginProcessor::process_now(const BatchView& batch, std::vector<Batch>* made) {
  TG_TRY(const Bytes body,
         host_->demand(FrameType::kProcess, batch.canonical, "process", ErrorCode::kRefused));
  Result<tgplugin::Processed> processed = tgplugin::decode_processed(body);
  if (!processed.ok()) return refuse("answered process() with nonsense: " + processed.error().detail);
  std::uint64_t bytes = 0;
  for (const std::optional<ByteView>& given : processed->outputs) {
    bytes += given ? given->size() : batch.canonical.size();
    if (bytes > tgplugin::kMostAnswer) return refuse("makes too much of one batch");
    TG_TRY(Batch one, output(batch, given));
    made->push_back(std::move(one));
  }
  if (processed->state) state_ = to_bytes(*processed->state);
  return {};
}

Result<Batch> PluginProcessor::output(const BatchView& input, const std::optional<ByteView>& given) const {
  if (!given) return copy_of(input);
  Result<Batch> made = adopt_batch(to_bytes(*given));
  if (!made.ok()) return refuse("gave a batch that is not sound: " + made.error().detail);
  EventKind kind{};
  TG_TRY(const BatchHead in, read_head(input.canonical, &kind));
  TG_TRY(const BatchHead head, read_head(*given, &kind));
  const bool same = head.source == in.source && head.unit == in.unit && head.flags == in.flags;
  if (kind == EventKind::kRows && same) return made;
  return refuse("gave a batch that is no rows of the source of the one that came in");
}

Bytes PluginProcessor::state() const {
  Bytes out;
  if (!state_) return out;
  ByteWriter writer(out);
  write_state_head(writer, name(), meaning_);
  writer.bytes32(*state_);
  return out;
}

Status PluginProcessor::restore(ByteView state) {
  if (!state_) return expect_no_state(name(), state);
  ByteReader reader(state);
  TG_CHECK(read_state_head(reader, name(), meaning_));
  const ByteView own = reader.bytes32();
  if (!reader.ok() || !reader.at_end()) return bad_state(name(), "does not end where it should");
  if (!host_) TG_CHECK(begin());
  const auto restored = host_->demand(FrameType::kRestore, own, "restore", ErrorCode::kMalformed);
  if (!restored.ok()) return host_.reset(), Status(restored.error());
  state_ = to_bytes(own);
  return {};
}

}  // namespace

Result<std::unique_ptr<Processor>> make_plugin_processor(const PluginRuntime& runtime,
                                                         const ExternalPlugin& plugin,
                                                         const Attributes& attributes,
                                                         const std::string& pipe) {
  TG_TRY(tgplugin::Start start, tgplugin::prepare(plugin, PluginKind::kProcessor, attributes, pipe));
  auto processor = std::make_unique<PluginProcessor>(runtime, std::move(start));
  TG_CHECK(processor->begin());
  return std::unique_ptr<Processor>(std::move(processor));
}

}  // namespace tidegate
