// SPDX-License-Identifier: Apache-2.0
#include "pipe/control/allow_list.h"

#include <arpa/inet.h>

#include <charconv>
#include <cstring>
#include <optional>

namespace tidegate {
namespace {

constexpr unsigned kMappedBits = 96;  // of ::ffff:0:0

std::optional<std::array<std::uint8_t, 16>> parse_address(const std::string& text, bool* v4) {
  std::array<std::uint8_t, 16> out{};
  *v4 = inet_pton(AF_INET, text.c_str(), out.data() + 12) == 1;
  if (*v4) {
    out[10] = out[11] = 0xFF;
    return out;
  }
  if (inet_pton(AF_INET6, text.c_str(), out.data()) != 1) return std::nullopt;
  return out;
}

std::string address_of(const std::string& peer) {
  if (peer.starts_with('[')) return peer.substr(1, peer.find(']') - 1);
  const std::size_t colon = peer.find(':');
  if (colon != std::string::npos && peer.find(':', colon + 1) == std::string::npos)
    return peer.substr(0, colon);
  return peer;
}

}  // namespace

Status AllowList::add(const std::string& cidr) {
  const std::size_t slash = cidr.find('/');
  bool v4 = false;
  const auto address = parse_address(cidr.substr(0, slash), &v4);
  const unsigned most = v4 ? 32 : 128;
  unsigned bits = most;
  if (slash != std::string::npos) {
    const char* first = cidr.data() + slash + 1;
    const char* last = cidr.data() + cidr.size();
    const auto [end, error] = std::from_chars(first, last, bits);
    if (error != std::errc() || end != last || first == last) bits = most + 1;
  }
  if (!address || bits > most)
    return make_error(ErrorCode::kInvalidArgument,
                      "'" + cidr + "' is no address block, e.g. 192.168.2.0/24 or fd00::/8");
  blocks_.push_back({*address, v4 ? bits + kMappedBits : bits});
  return {};
}

bool AllowList::admits(const std::string& peer) const {
  bool v4 = false;
  const auto address = parse_address(address_of(peer), &v4);
  if (!address) return false;
  for (const Block& block : blocks_) {
    const unsigned whole = block.bits / 8;
    if (std::memcmp(block.address.data(), address->data(), whole) != 0) continue;
    const unsigned rest = block.bits % 8;
    if (rest == 0 || ((block.address[whole] ^ (*address)[whole]) >> (8 - rest)) == 0) return true;
  }
  return false;
}

}  // namespace tidegate
