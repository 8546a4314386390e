// SPDX-License-Identifier: Apache-2.0
#include "pipe/engine/plugin/host_runner.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace tidegate::tgplugin {
namespace {

// False: the daemon closed its end.
bool receive_all(std::span<std::uint8_t> out) {
  while (!out.empty()) {
    const ssize_t got = ::read(kSocketFd, out.data(), out.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    out = out.subspan(static_cast<std::size_t>(got));
  }
  return true;
}

void send_all(ByteView bytes) {
  while (!bytes.empty()) {
    const ssize_t done = ::send(kSocketFd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) ::_exit(1);
    bytes = bytes.subspan(static_cast<std::size_t>(done));
  }
}

Error unexpected(const char* what) {
  return make_error(ErrorCode::kMalformed, what);
}

}  // namespace

void send_frame(FrameType type, ByteView body) {
  Bytes head;
  append_frame(&head, type, {});
  ByteWriter(head).patch_u32(0, static_cast<std::uint32_t>(body.size()));
  send_all(head);
  send_all(body);
}

Status HostRunner::run() {
  for (;;) {
    std::array<std::uint8_t, kFrameHead> bytes{};
    if (!receive_all(bytes)) break;
    TG_TRY(const FrameHead head, decode_frame_head(bytes, kMostRequest));
    Bytes body(head.length);
    if (!receive_all(body)) break;
    if (head.type == FrameType::kStop) continue;  // came after the answer
    TG_TRY(const Reply reply, serve(head.type, body));
    send_frame(reply.type, reply.body);
  }
  plugin_.end();
  return {};
}

Result<HostRunner::Reply> HostRunner::serve(FrameType type, ByteView body) {
  services_.begin_call();
  unpacker_.clear();
  if (type == FrameType::kClose) return plugin_.end(), Reply{};
  if (type == FrameType::kCreate) return create(body);
  if (!plugin_.has_instance()) return unexpected("a request before create()");
  if (plugin_.is_processor()) {
    if (type == FrameType::kProcess) return process(body);
    if (type == FrameType::kRestore && plugin_.info().stateful) return restore(body);
  } else {
    if (type == FrameType::kOpen) return open(body);
    if (type == FrameType::kDeliver) return deliver(body);
  }
  return unexpected("a request that this kind of plugin does not know");
}

HostRunner::Reply HostRunner::failed() const {
  return {FrameType::kFailed, encode_text(services_.message())};
}

HostRunner::Reply HostRunner::not_ok(tg_status status, std::uint64_t retry_after) const {
  if (status != TG_RETRY) return failed();
  return {FrameType::kRetry, encode(Retry{retry_after, services_.message()})};
}

bool HostRunner::changed_state(std::optional<ByteView>* state) {
  if (!plugin_.info().stateful) return true;
  services_.begin_call();
  if (plugin_.state() != TG_OK) return false;
  if (!services_.state()) return services_.say("state() did not call set_state()"), false;
  if (services_.state() == known_state_) return true;
  known_state_ = services_.state();
  *state = *known_state_;
  return true;
}

Result<HostRunner::Reply> HostRunner::create(ByteView body) {
  if (plugin_.has_instance()) return unexpected("create() for a second time");
  TG_TRY(const Settings settings, decode_settings(body));
  if (plugin_.create(settings) != TG_OK) return failed();
  plugin_.describe();
  Created created;
  created.description = services_.message();
  if (!changed_state(&created.state)) return failed();
  return Reply{FrameType::kDone, encode(created)};
}

Result<HostRunner::Reply> HostRunner::restore(ByteView state) {
  if (plugin_.restore(state) != TG_OK) return failed();
  known_state_ = to_bytes(state);
  return Reply{};
}

Result<HostRunner::Reply> HostRunner::process(ByteView canonical) {
  TG_TRY(const tg_batch* batch, unpacker_.unpack(canonical, 0));
  TG_CHECK(services_.begin_batch(canonical));
  const tg_status status = plugin_.process(*batch);
  const std::vector<std::optional<Batch>> outputs = services_.end_batch();
  if (status != TG_OK) return failed();
  Processed processed;
  for (const std::optional<Batch>& output : outputs) {
    processed.outputs.push_back(output ? std::optional<ByteView>(output->canonical) : std::nullopt);
  }
  if (!changed_state(&processed.state)) return failed();
  return Reply{FrameType::kDone, encode(processed)};
}

Result<HostRunner::Reply> HostRunner::open(ByteView body) {
  TG_TRY(const Opening opening, decode_opening(body));
  const tg_status status = plugin_.open(opening.position, opening.state);
  return status == TG_OK ? Reply{} : not_ok(status);
}

Result<HostRunner::Reply> HostRunner::deliver(ByteView body) {
  TG_TRY(const std::vector<NumberedBatch> numbered, decode_batches(body));
  services_.begin_call(numbered.size());
  std::vector<const tg_batch*> batches;
  tg_delivery result{sizeof(tg_delivery), 0, 0, 0, 0};
  for (const NumberedBatch& one : numbered) {
    TG_TRY(const tg_batch* batch, unpacker_.unpack(one.canonical, one.number));
    result.written_events += batch->events;
    batches.push_back(batch);
  }
  const tg_status status = plugin_.deliver(batches, &result);
  if (status != TG_OK) return not_ok(status, result.retry_after_ns);
  Delivered delivered;
  delivered.written_events = result.written_events;
  delivered.skipped_events = result.skipped_events;
  delivered.message = services_.message();
  delivered.state = services_.state().value_or(Bytes());
  delivered.letters = std::move(services_.letters());
  return Reply{FrameType::kDone, encode(delivered)};
}

}  // namespace tidegate::tgplugin
