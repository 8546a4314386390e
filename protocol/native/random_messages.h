// SPDX-License-Identifier: Apache-2.0
// For tests: random messages of every kind, and equality of messages by their bytes.
#pragma once

#include <random>

#include "protocol/native/messages.h"

namespace tidegate {

class RandomMessages {
 public:
  explicit RandomMessages(std::uint32_t seed) : engine_(seed) {}

  std::uint64_t number() { return engine_() >> (engine_() % 64); }
  std::uint8_t byte() { return static_cast<std::uint8_t>(engine_()); }
  std::size_t below(std::size_t n) { return engine_() % n; }
  Bytes16 id() {
    Bytes16 out;
    for (auto& b : out.bytes) b = byte();
    return out;
  }
  Bytes bytes(std::size_t most) {
    Bytes out(below(most + 1));
    for (auto& b : out) b = byte();
    return out;
  }
  std::string text(std::size_t most) { return std::string(as_text(bytes(most))); }

  static constexpr int kKinds = 10;
  // `kind` 0 to 9: probe, link hello, stream hello, batch, part, gap, ask, beat, end, unknown. Views point
  // into storage() until the next call.
  MessageBody body(int kind) {
    switch (kind) {
      case 0:
        return Probe{below(2) == 0};
      case 1:
        return LinkHello{byte(),
                         byte(),
                         byte(),
                         byte(),
                         number(),
                         number(),
                         number(),
                         static_cast<std::uint32_t>(number()),
                         id(),
                         id(),
                         id(),
                         number(),
                         static_cast<std::int64_t>(number()),
                         text(40)};
      case 2:
        return stream_hello();
      case 3:
        return batch();
      case 4: {
        storage_ = bytes(60);
        storage_.push_back(1);
        const auto offset = static_cast<std::uint32_t>(number() % 1'000'000);
        const auto size = static_cast<std::uint32_t>(storage_.size());
        return PartFrame{1 + number() / 2, offset,
                         static_cast<std::uint32_t>(offset + size + below(2) * below(5000)), storage_};
      }
      case 5: {
        const Seq from = 1 + number() / 4;
        return GapFrame{from,
                        from + number() / 4,
                        id(),
                        id(),
                        byte(),
                        number(),
                        static_cast<std::int64_t>(number()),
                        -static_cast<std::int64_t>(number() / 2)};
      }
      case 6:
        return ask();
      case 7:
        return Beat{static_cast<std::int64_t>(number()), text(300)};
      case 8:
        return End{text(50)};
      default:
        return UnknownKind{static_cast<std::uint8_t>(9 + below(247))};
    }
  }
  NativeHeader header(const MessageBody& body, bool salted) {
    NativeHeader h;
    h.session = number();
    h.stream = std::holds_alternative<LinkHello>(body) ? 0 : static_cast<StreamId>(1 + below(65'535));
    h.lane = byte();
    h.frame_number = static_cast<std::uint32_t>(number());
    h.salt = salted ? static_cast<std::uint32_t>(1 + below(0xffffffff)) : 0;
    return h;
  }

 private:
  MessageBody stream_hello() {
    StreamHello m{
        static_cast<std::uint32_t>(number()), number(), id(), number(), id(), number(), text(30), {}};
    for (std::size_t i = below(4); i > 0; --i) m.attributes.emplace_back(text(10), text(10));
    return m;
  }
  MessageBody batch() {
    BatchFrame m;
    m.first_seq = 1 + number() / 2;
    m.previous_chain = id();
    for (std::size_t i = 1 + below(5); i > 0; --i) m.hashes.push_back(id());
    for (std::size_t i = below(kMaxHops + 1); i > 0; --i) m.hops.push_back(id());
    m.codec = byte();
    m.decoded_size = static_cast<std::uint32_t>(number());
    storage_ = bytes(100);
    m.container = storage_;
    return m;
  }
  MessageBody ask() {
    static constexpr Predicate kAll[] = {Predicate::kPositionAtLeast, Predicate::kChainAt, Predicate::kReason,
                                         Predicate::kRoomAtLeast};
    Ask m;
    m.predicate = kAll[below(4)];
    m.negated = below(2) == 0;
    if (m.predicate == Predicate::kPositionAtLeast) {
      m.number = number();
    } else if (m.predicate == Predicate::kChainAt) {
      for (std::size_t i = below(4); i > 0; --i)
        m.claims.push_back({static_cast<StreamId>(below(65'536)), number(), id()});
    } else {
      m.number = byte();
    }
    return m;
  }

  std::mt19937_64 engine_;
  Bytes storage_;
};

}  // namespace tidegate
