// SPDX-License-Identifier: Apache-2.0
// ReceiverLink under a sequence of events that the input spells: connections, whole frames of every kind with
// small numbers, raw bytes, acknowledgements, finished and failed stores, time. Invariants, whatever happens:
// at most one unacknowledged answer per connection; never more answers than frames; no `ok` to a batch, part
// or gap that the store has not got; nothing on a connection that was closed.
#include <cstdlib>
#include <deque>
#include <map>

#include "protocol/native/receiver_test_rig.h"

namespace tidegate {
namespace {

void expect(bool condition) {
  if (!condition) std::abort();
}

class Host {
 public:
  explicit Host(ByteView script) : script_(script), link_(options(), &store_) {}

  void run() {
    while (script_.remaining() > 0) step();
    for (auto& request : std::exchange(disk_, {}))
      link_.on_stored(request.first, store_.apply(request.second), now_);
    drain();
    link_.stop(now_);
    drain();
    expect(lines_.empty());
  }

 private:
  // What an `ok` to a frame promises.
  struct Promise {
    StreamId stream = 0;
    Seq last = 0;
    std::optional<Hash128> chain;
  };
  struct Line {
    std::uint32_t frames = 0;
    std::uint64_t session = 1;
    bool raw = false;  // raw bytes were fed: what the frames are is not known any more
    bool unacknowledged = false;
    std::deque<Promise> owed;
  };

  static ReceiverLinkOptions options() {
    ReceiverLinkOptions out;
    out.wire_limit = 4096;
    out.largest_part_total = 512;
    return out;
  }

  void step() {
    const std::uint8_t op = script_.u8();
    const ConnectionId c = 1 + script_.u8() % 4;
    switch (op % 10) {
      case 0:
        return accept(c);
      case 1:
        if (lines_.contains(c)) link_.on_closed(c, now_), lines_.erase(c);
        return drain();
      case 2:
        now_ += LinkNanos{script_.u8()} * 200 * kLinkMillisecond;
        link_.on_time(now_);
        return drain();
      case 3:
        return finish_store(script_.u8() % 4 != 0);
      case 4:
        if (lines_.contains(c) && lines_[c].unacknowledged) {
          lines_[c].unacknowledged = false;
          link_.on_answer_acknowledged(c, now_);
        }
        return drain();
      case 5:
        if (!lines_.contains(c)) return;
        lines_[c].raw = true;
        link_.on_bytes(c, script_.bytes(std::min<std::size_t>(script_.u8(), script_.remaining())), now_);
        return drain();
      default:
        return send(c, op / 10 % 10);
    }
  }
  void accept(ConnectionId c) {
    if (lines_.contains(c)) return;
    lines_[c].session = 1 + script_.u8() % 3;
    link_.on_accepted(c, "fuzz", now_);
    drain();
  }
  void finish_store(bool good) {
    if (disk_.empty()) return;
    auto [token, request] = std::move(disk_.front());
    disk_.pop_front();
    link_.on_stored(token, good ? store_.apply(request) : Status(make_error(ErrorCode::kNoSpace, "fuzz")),
                    now_);
    drain();
  }

  void send(ConnectionId c, int kind) {
    if (!lines_.contains(c)) return;
    const History& h = script_.u8() % 4 == 0 ? other_ : history_;
    const Seq a = 1 + script_.u8() % 12;
    const Seq b = std::min<Seq>(a + script_.u8() % 4, 14);
    const auto stream = static_cast<StreamId>(1 + script_.u8() % 2);
    Promise promise{stream, b, h.chain(b)};
    switch (kind) {
      case 0:
        return say(c, Probe{a % 2 == 0}, 0, {});
      case 1:
      case 2:
        return say(c, ReceiverRig::link_hello(static_cast<std::uint8_t>(1 + a % 2), b % 3), 0, {});
      case 3:
      case 4:
        return say(c, h.hello(a - 1, static_cast<std::uint32_t>(b % 4), a - 1), stream, {});
      case 5:
        return say(c, h.gap(a, b), stream, promise);
      case 6:
        return say_part(c, h, a, stream);
      case 7:
        return say(c, h.chain_at(a, b % 2 == 0, stream), stream, {});
      case 8:
        return say(c, a % 2 == 0 ? MessageBody(Beat{}) : MessageBody(End{}), a % 2 == 0 ? 0 : stream, {});
      default:
        return say(c, h.frame(a, b), stream, promise);
    }
  }
  void say_part(ConnectionId c, const History& h, Seq seq, StreamId stream) {
    const Bytes body = encode_batch_body(h.frame(seq, seq));
    const auto from = static_cast<std::uint32_t>(script_.u8() % body.size());
    const std::size_t size = 1 + script_.u8() % (body.size() - from);
    const PartFrame part{seq, from, static_cast<std::uint32_t>(body.size()),
                         ByteView(body).subspan(from, size)};
    say(c, part, stream, part.is_final() ? Promise{stream, seq, h.chain(seq)} : Promise{});
  }
  void say(ConnectionId c, const MessageBody& body, StreamId stream, Promise promise) {
    Line& line = lines_[c];
    NativeHeader header;
    header.session = line.session;
    header.stream = stream;
    header.lane = static_cast<std::uint8_t>(c);
    header.frame_number = ++line.frames;
    header.salt = script_.u8() % 2;
    line.owed.push_back(promise);
    link_.on_bytes(c, encode_outer_frame(encode_message(header, body), Wrap::kNone), now_);
    drain();
  }

  void drain() {
    for (auto actions = link_.take_actions(); !actions.empty(); actions = link_.take_actions())
      for (RxAction& action : actions) act(action);
  }
  void act(RxAction& action) {
    if (const auto* answer = std::get_if<RxAnswer>(&action)) {
      expect(lines_.contains(answer->connection));
      answered(lines_[answer->connection], answer->answer);
    } else if (const auto* close = std::get_if<RxClose>(&action)) {
      expect(lines_.erase(close->connection) == 1);
    } else if (auto* request = std::get_if<RxStore>(&action)) {
      disk_.emplace_back(request->token, std::move(request->request));
    }
  }
  void answered(Line& line, Byte answer) {
    expect(!line.unacknowledged);
    line.unacknowledged = true;
    if (line.raw) return;
    expect(!line.owed.empty());
    const Promise promise = line.owed.front();
    line.owed.pop_front();
    if (answer == Byte::kFail || !promise.chain) return;
    expect(store_.stream(test_id(2), promise.stream).position >= promise.last);
    const auto own = store_.chain(test_id(2), promise.stream, promise.last);
    expect(own == promise.chain);
  }

  ByteReader script_;
  MemoryReceiverStore store_;
  ReceiverLink link_;
  History history_{14};
  History other_ = history_.branch(5, 9);
  LinkNanos now_ = kLinkSecond;
  std::map<ConnectionId, Line> lines_;
  std::deque<std::pair<StoreToken, StoreRequest>> disk_;
};

}  // namespace
}  // namespace tidegate

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  tidegate::Host(tidegate::ByteView(data, size)).run();
  return 0;
}
