// SPDX-License-Identifier: Apache-2.0
#include "pipe/extract/influx/credentials.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>

namespace tidegate {
namespace {

ByteView bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

bool same_word(std::string_view a, std::string_view lower) {
  return std::ranges::equal(a, lower,
                            [](char x, char y) { return (x >= 'A' && x <= 'Z' ? x + 32 : x) == y; });
}

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::optional<std::string> decode_base64(std::string_view text) {
  constexpr std::size_t kLongest = 8192;
  if (text.size() % 4 != 0 || text.size() > kLongest) return std::nullopt;
  if (text.empty()) return std::string();
  std::string out(text.size() / 4 * 3, '\0');
  const int size =
      EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                      reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  // EVP_DecodeBlock counts the padding as zero bytes.
  const int padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
  if (size < padding) return std::nullopt;
  out.resize(static_cast<std::size_t>(size - padding));
  return out;
}

std::optional<Presented> split_pair(std::string_view pair) {
  const std::size_t colon = pair.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  return Presented{std::string(pair.substr(0, colon)), std::string(pair.substr(colon + 1))};
}

}  // namespace

std::optional<Presented> parse_authorization(std::string_view header) {
  header = trimmed(header);
  const std::size_t blank = header.find(' ');
  if (blank == std::string_view::npos) return std::nullopt;
  const std::string_view scheme = header.substr(0, blank);
  const std::string_view rest = trimmed(header.substr(blank));
  if (same_word(scheme, "basic")) {
    const std::optional<std::string> pair = decode_base64(rest);
    return pair ? split_pair(*pair) : std::nullopt;
  }
  if (same_word(scheme, "token"))
    if (auto pair = split_pair(rest)) return pair;
  if (same_word(scheme, "token") || same_word(scheme, "bearer")) return Presented{"", std::string(rest)};
  return std::nullopt;
}

Credentials::Credentials(const InfluxHttpOptions& options) {
  for (const Secret& token : options.tokens)
    entries_.push_back(
        {"token " + std::to_string(entries_.size() + 1), sha256(bytes_of(token.reveal())), ""});
  for (const InfluxHttpUser& user : options.users)
    entries_.push_back({"user " + user.name, sha256(bytes_of(user.password.reveal())), user.name});
}

// Every entry is compared, also after a match: the time says nothing about which one it was.
std::optional<std::string> Credentials::find(const Presented& shown) const {
  const Sha256 given = sha256(bytes_of(shown.secret));
  const Entry* found = nullptr;
  for (const Entry& entry : entries_) {
    const bool same = CRYPTO_memcmp(entry.secret.data(), given.data(), given.size()) == 0;
    const bool who = entry.user.empty() || entry.user == shown.user;
    if (same && who && found == nullptr) found = &entry;
  }
  if (found == nullptr) return std::nullopt;
  return found->name;
}

}  // namespace tidegate
