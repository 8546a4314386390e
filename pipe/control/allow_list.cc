// SPDX-License-Identifier: Apache-2.0
#include "pipe/control/allow_list.h"

#include <arpa/inet.h>

#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>

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

struct Cidr {
  std::array<std::uint8_t, 16> address{};  // IPv4 as ::ffff:a.b.c.d
  bool v4 = false;
  unsigned bits = 0;  // of the family's own
};

std::optional<Cidr> parse_cidr(const std::string& cidr) {
  const std::size_t slash = cidr.find('/');
  Cidr out;
  const auto address = parse_address(cidr.substr(0, slash), &out.v4);
  const unsigned most = out.v4 ? 32 : 128;
  out.bits = most;
  if (slash != std::string::npos) {
    const char* first = cidr.data() + slash + 1;
    const char* last = cidr.data() + cidr.size();
    const auto [end, error] = std::from_chars(first, last, out.bits);
    if (error != std::errc() || end != last || first == last) return std::nullopt;
  }
  if (!address || out.bits > most) return std::nullopt;
  out.address = *address;
  return out;
}

std::string show_address(const Cidr& block) {
  char text[INET6_ADDRSTRLEN];
  const std::uint8_t* const from = block.address.data() + (block.v4 ? 12 : 0);
  return inet_ntop(block.v4 ? AF_INET : AF_INET6, from, text, sizeof(text)) == nullptr ? "" : text;
}

// The lowest address of the block.
Cidr network_of(Cidr block) {
  for (unsigned bit = block.bits + (block.v4 ? kMappedBits : 0); bit < 128; ++bit)
    block.address[bit / 8] &= static_cast<std::uint8_t>(~(0x80U >> bit % 8));
  return block;
}

std::string_view without_blanks(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

}  // namespace

Status AllowList::add(const std::string& cidr) {
  const auto block = parse_cidr(cidr);
  if (!block)
    return make_error(ErrorCode::kInvalidArgument,
                      "'" + cidr + "' is no address block, e.g. 192.168.2.0/24 or fd00::/8");
  blocks_.push_back({block->address, block->v4 ? block->bits + kMappedBits : block->bits});
  return {};
}

AllowList AllowList::everybody() {
  AllowList out;
  out.blocks_ = {{}};  // ::/0, of which IPv4 is a part here
  return out;
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

std::vector<std::string> white_list_blocks(const std::string& text) {
  std::vector<std::string> out;
  std::string_view rest = text;
  if (without_blanks(rest).empty()) return out;
  for (;;) {
    const std::size_t comma = rest.find(',');
    out.emplace_back(without_blanks(rest.substr(0, comma)));
    if (out.back() == "0.0.0.0/0") out.emplace_back("::/0");
    if (comma == std::string_view::npos) return out;
    rest.remove_prefix(comma + 1);
  }
}

Result<AllowList> parse_white_list(const std::string& text) {
  AllowList out;
  for (const std::string& block : white_list_blocks(text)) TG_CHECK(out.add(block));
  return out;
}

std::string block_doubt(const std::string& cidr) {
  const auto block = parse_cidr(cidr);
  if (!block) return {};
  const Cidr network = network_of(*block);
  if (network.address == block->address) return {};
  const std::string most = block->v4 ? "/32" : "/128";
  return "admits all of " + show_address(network) + "/" + std::to_string(block->bits) +
         (block->bits == 1 ? ", half of all addresses," : "") + " by '" + cidr + "'; the one address is " +
         show_address(*block) + most;
}

std::vector<std::string> white_list_doubts(const std::string& text) {
  std::vector<std::string> out;
  const auto blocks = white_list_blocks(text);
  if (blocks.empty()) out.emplace_back("names nobody: no device may connect");
  for (const std::string& block : blocks)
    if (std::string doubt = block_doubt(block); !doubt.empty()) out.push_back(std::move(doubt));
  return out;
}

}  // namespace tidegate
