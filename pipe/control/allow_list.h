// SPDX-License-Identifier: Apache-2.0
// AllowList: which peer addresses may connect, as CIDR blocks of IPv4 and IPv6. A fence, not an identity:
// behind an isolation device every sender shows the device's virtual address.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "base/result.h"

namespace tidegate {

class AllowList {
 public:
  // "10.0.0.0/8", "192.168.0.1", "2001:db8::/32", "::/0". kInvalidArgument where a text is none of these.
  Status add(const std::string& cidr);
  // `peer`: "address:port" or "[v6]:port" or an address alone. An empty list admits nobody. IPv4 in IPv6 is
  // compared as IPv4.
  bool admits(const std::string& peer) const;
  bool empty() const { return blocks_.empty(); }
  // Of both families.
  static AllowList everybody();

 private:
  struct Block {
    std::array<std::uint8_t, 16> address{};  // IPv4 as ::ffff:a.b.c.d
    unsigned bits = 0;                       // of 128
  };
  std::vector<Block> blocks_;
};

// IoTDB's white list: blocks separated by commas; empty: nobody; 0.0.0.0/0, its default, is everybody, IPv6
// too. kInvalidArgument where a part is no block.
Result<AllowList> parse_white_list(const std::string& text);
// The same blocks, one by one, without a look at them.
std::vector<std::string> white_list_blocks(const std::string& text);
// What a list probably does not mean: nobody at all, or a block written as one address ("192.168.0.1/1").
std::vector<std::string> white_list_doubts(const std::string& text);
// Of one block; empty: no doubt.
std::string block_doubt(const std::string& cidr);

// The list in force: replaced while peers connect. Any thread.
class LiveAllowList {
 public:
  explicit LiveAllowList(AllowList list) : list_(std::move(list)) {}
  void replace(AllowList list) {
    const std::lock_guard lock(mutex_);
    list_ = std::move(list);
  }
  bool admits(const std::string& peer) const {
    const std::lock_guard lock(mutex_);
    return list_.admits(peer);
  }

 private:
  mutable std::mutex mutex_;
  AllowList list_;
};

}  // namespace tidegate
