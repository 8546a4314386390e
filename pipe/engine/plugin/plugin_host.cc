// SPDX-License-Identifier: Apache-2.0
#include "pipe/engine/plugin/plugin_host.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "pipe/engine/plugin/plugin_file.h"

namespace tidegate::tgplugin {
namespace {

constexpr Nanos kStopPoll = 50 * kMillisecond;    // how often `stop` is asked
constexpr Nanos kToDie = kSecond;                 // from the end of its connection to the end of a process
constexpr int kMostReads = 16;                    // of 64 KiB of its stderr, after an answer
constexpr std::size_t kReceiveStep = 1ULL << 20;  // memory is taken as bytes come, not as a head promises

std::string shown(Nanos time) {
  return time % kSecond == 0 ? std::to_string(time / kSecond) + " s"
                             : std::to_string(time / kMillisecond) + " ms";
}

bool is_answer(FrameType type) {
  return type == FrameType::kDone || type == FrameType::kFailed || type == FrameType::kRetry;
}

}  // namespace

struct PluginHost::Call {
  std::string_view function;
  const std::function<bool()>* stop = nullptr;  // null: never
  Nanos deadline = 0;
  bool stopping = false;
  Bytes out;
  std::size_t sent = 0;
  Bytes in;
  std::size_t received = 0;
  std::optional<FrameHead> head;
  bool complete() const { return head && received == kFrameHead + head->length; }
};

PluginHost::PluginHost(Clock& clock, std::string path, const Limits& limits, std::string whose,
                       ChildProcess child)
    : clock_(clock),
      path_(std::move(path)),
      limits_(limits),
      log_(clock, std::move(whose)),
      child_(std::move(child)) {}

PluginHost::~PluginHost() {
  close(2 * kSecond);
}

Result<std::unique_ptr<PluginHost>> PluginHost::start(const PluginRuntime& runtime, const std::string& path,
                                                      std::string_view sha256, const Limits& limits,
                                                      std::string whose) {
  TG_TRY(const Descriptor file, open_plugin_file(path, sha256));
  TG_TRY(ChildProcess child, ChildProcess::spawn(runtime.program, {std::to_string(limits.memory)}, file));
  std::unique_ptr<PluginHost> host(
      new PluginHost(*runtime.clock, path, limits, std::move(whose), std::move(child)));
  TG_CHECK(host->read_info());
  return host;
}

Status PluginHost::read_info() {
  Call call{"tg_plugin_v1"};
  call.deadline = clock_.now() + limits_.call;
  TG_TRY(Answer answer, exchange(call));
  if (answer.type == FrameType::kFailed) {
    TG_TRY(const std::string why, decode_text(answer.body));
    return give_up(ErrorCode::kInvalidArgument, "cannot be used: " + why);
  }
  Result<Info> info = decode_info(answer.body);
  if (answer.type != FrameType::kInfo || !info.ok()) {
    return give_up(ErrorCode::kRefused, "says nonsense about itself");
  }
  info_ = std::move(info).value();
  return {};
}

Result<Answer> PluginHost::call(FrameType request, ByteView body, std::string_view function,
                                const std::function<bool()>& stop) {
  if (!child_) return *ended_;
  if (body.size() > kMostRequest) {
    return error(ErrorCode::kTooLarge, "cannot be given " + std::to_string(body.size()) +
                                           " bytes at once, the limit is " + std::to_string(kMostRequest));
  }
  Call call{function, stop ? &stop : nullptr};
  call.deadline = clock_.now() + limits_.call;
  append_frame(&call.out, request, body);
  TG_TRY(Answer answer, exchange(call));
  if (is_answer(answer.type)) return answer;
  return give_up(ErrorCode::kRefused, "answered " + std::string(function) + "() with a frame of type " +
                                          std::to_string(static_cast<int>(answer.type)));
}

Result<Bytes> PluginHost::demand(FrameType request, ByteView body, std::string_view function,
                                 ErrorCode code) {
  TG_TRY(Answer answer, call(request, body, function));
  if (answer.type == FrameType::kDone) return std::move(answer.body);
  Result<std::string> why = decode_text(answer.body);
  if (answer.type != FrameType::kFailed || !why.ok()) {
    return give_up(ErrorCode::kRefused, "answered " + std::string(function) + "() with nonsense");
  }
  return error(code, "in " + std::string(function) + "(): " + *why);
}

Result<Answer> PluginHost::exchange(Call& call) {
  while (!call.complete()) {
    const Nanos now = clock_.now();
    if (now >= call.deadline) {
      if (call.stopping) return give_up(ErrorCode::kClosed, "was killed: it did not stop in time");
      return give_up(ErrorCode::kRefused, "was killed: it did not return from " + std::string(call.function) +
                                              "() within 'plugin.time-limit' (" + shown(limits_.call) + ")");
    }
    if (call.stop != nullptr && !call.stopping && (*call.stop)()) {
      call.stopping = true;
      call.deadline = std::min(call.deadline, now + limits_.stop_grace);
      append_frame(&call.out, FrameType::kStop, {});
    }
    bool readable = false, writable = false;
    TG_CHECK(poll_once(call, &readable, &writable));
    if (writable) {
      if (std::optional<Error> failed = send_some(call)) return *failed;
    }
    if (readable) {
      if (std::optional<Error> failed = receive_some(call)) return *failed;
    }
  }
  // Lines that it wrote before it answered belong before what follows.
  for (int i = 0; i < kMostReads && log_.read(child_->errors()); ++i) {
  }
  call.in.erase(call.in.begin(), call.in.begin() + kFrameHead);
  return Answer{call.head->type, std::move(call.in)};
}

// Waits for anything to do, and takes what the plugin writes to its standard error on the way.
Status PluginHost::poll_once(const Call& call, bool* readable, bool* writable) {
  Nanos wait = call.deadline - clock_.now();
  if (call.stop != nullptr && !call.stopping) wait = std::min(wait, kStopPoll);
  const short wanted = call.sent < call.out.size() ? POLLIN | POLLOUT : POLLIN;
  pollfd fds[] = {{child_->socket(), wanted, 0}, {errors_open_ ? child_->errors() : -1, POLLIN, 0}};
  const auto timeout = static_cast<int>(std::clamp<Nanos>(wait / kMillisecond + 1, 0, 1000));
  if (::poll(fds, 2, timeout) < 0) {
    if (errno == EINTR) return {};
    return give_up(ErrorCode::kIo, std::string("cannot be waited for: ") + std::strerror(errno));
  }
  if ((fds[1].revents & POLLIN) != 0) {
    log_.read(child_->errors());
  } else if (fds[1].revents != 0) {
    errors_open_ = false;  // a closed pipe would be ready for ever
  }
  *readable = (fds[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0;
  *writable = (fds[0].revents & POLLOUT) != 0;
  return {};
}

std::optional<Error> PluginHost::send_some(Call& call) {
  const ssize_t done = ::send(child_->socket(), call.out.data() + call.sent, call.out.size() - call.sent,
                              MSG_NOSIGNAL | MSG_DONTWAIT);
  if (done >= 0) {
    call.sent += static_cast<std::size_t>(done);
    return std::nullopt;
  }
  if (errno == EAGAIN || errno == EINTR) return std::nullopt;
  return died(call.function);
}

std::optional<Error> PluginHost::receive_some(Call& call) {
  const std::size_t wanted = call.head ? kFrameHead + call.head->length : kFrameHead;
  const std::size_t step = std::min(wanted - call.received, kReceiveStep);
  if (call.in.size() < call.received + step) call.in.resize(call.received + step);
  const ssize_t got = ::recv(child_->socket(), call.in.data() + call.received, step, MSG_DONTWAIT);
  if (got == 0) return died(call.function);
  if (got < 0) {
    if (errno == EAGAIN || errno == EINTR) return std::nullopt;
    return died(call.function);
  }
  call.received += static_cast<std::size_t>(got);
  if (call.head || call.received < kFrameHead) return std::nullopt;
  Result<FrameHead> head = decode_frame_head(ByteView(call.in).first(kFrameHead), kMostAnswer);
  if (head.ok()) {
    call.head = *head;
    return std::nullopt;
  }
  return give_up(ErrorCode::kRefused,
                 "answered " + std::string(call.function) + "() with nonsense: " + head.error().detail);
}

// Its end of the connection is closed.
Error PluginHost::died(std::string_view function) {
  if (!child_->wait_until(clock_, clock_.now() + kToDie)) {
    return give_up(ErrorCode::kRefused,
                   "closed its connection to the daemon in " + std::string(function) + "() and was killed");
  }
  child_->end();
  return give_up(ErrorCode::kRefused, child_->how_it_ended() + " in " + std::string(function) + "()");
}

Error PluginHost::give_up(ErrorCode code, const std::string& detail) {
  child_->end();
  log_.finish(child_->errors());
  child_.reset();
  const std::string& said = log_.last_line();
  ended_ = error(code, said.empty() ? detail : detail + "; the last it wrote: \"" + said + "\"");
  return *ended_;
}

Error PluginHost::error(ErrorCode code, const std::string& detail) const {
  const std::string name = info_.name.empty() ? "the plugin " : "plugin '" + info_.name + "' ";
  return make_error(code, name + detail).at_path(path_);
}

void PluginHost::close(Nanos limit) {
  if (!child_) return;
  Call call{"close"};
  call.deadline = clock_.now() + std::min(limit, limits_.call);
  append_frame(&call.out, FrameType::kClose, {});
  if (exchange(call).ok()) {
    child_->hang_up();
    child_->wait_until(clock_, clock_.now() + kToDie);
    give_up(ErrorCode::kClosed, "is closed");
  }
}

Result<Limits> read_limits(const Attributes& attributes, PluginKind kind) {
  Limits limits;
  TG_TRY(limits.call, read_duration(attributes, kind, "plugin.time-limit", limits.call));
  TG_TRY(limits.memory, read_bytes(attributes, kind, "plugin.memory-limit", limits.memory));
  return limits;
}

Result<Start> prepare(const ExternalPlugin& plugin, PluginKind kind, const Attributes& attributes,
                      const std::string& pipe) {
  if (plugin.info.kind != kind) {
    return make_error(ErrorCode::kInvalidArgument, "plugin '" + plugin.info.name + "' is a " +
                                                       std::string(plugin_kind_name(plugin.info.kind)) +
                                                       ", not a " + std::string(plugin_kind_name(kind)));
  }
  TG_CHECK(check_attributes(attributes, plugin.info));
  TG_TRY(const Limits limits, read_limits(attributes, kind));
  return Start{plugin, limits, settings_of(attributes), plugin.info.name + " of pipe " + pipe};
}

Result<Instance> create_instance(const PluginRuntime& runtime, const Start& start) {
  TG_TRY(std::unique_ptr<PluginHost> host,
         PluginHost::start(runtime, start.plugin.path, start.plugin.sha256, start.limits, start.whose));
  if (host->info().kind != start.plugin.info.kind) {
    return host->error(ErrorCode::kIdentity, "is not what it was when it was registered: drop and create it");
  }
  TG_TRY(Bytes body,
         host->demand(FrameType::kCreate, encode(start.settings), "create", ErrorCode::kInvalidArgument));
  if (const auto created = decode_created(body); !created.ok()) {
    return host->error(ErrorCode::kRefused, "answered create() with nonsense: " + created.error().detail);
  }
  return Instance{std::move(host), std::move(body)};
}

Settings settings_of(const Attributes& attributes) {
  Settings settings;
  for (const auto& [name, value] : attributes.values) {
    if (!name.starts_with(kHostPrefix)) settings.emplace_back(name, value);
  }
  return settings;
}

}  // namespace tidegate::tgplugin
