// SPDX-License-Identifier: Apache-2.0
// Durations, byte sizes and rates as people write them.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "base/yaml.h"

namespace tidegate {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr std::uint64_t kSecondU = static_cast<std::uint64_t>(kSecond);
constexpr std::array kTimeUnits = {
    Unit{"d", 86'400 * kSecondU},
    Unit{"h", 3'600 * kSecondU},
    Unit{"m", 60 * kSecondU},
    Unit{"s", kSecondU},
    Unit{"ms", 1'000'000},
    Unit{"us", 1'000},
    Unit{"ns", 1},
};
constexpr std::array kByteUnits = {
    Unit{"", 1},
    Unit{"b", 1},
    Unit{"k", 1'000},
    Unit{"kb", 1'000},
    Unit{"kib", 1ULL << 10},
    Unit{"m", 1'000'000},
    Unit{"mb", 1'000'000},
    Unit{"mib", 1ULL << 20},
    Unit{"g", 1'000'000'000},
    Unit{"gb", 1'000'000'000},
    Unit{"gib", 1ULL << 30},
    Unit{"t", 1'000'000'000'000},
    Unit{"tb", 1'000'000'000'000},
    Unit{"tib", 1ULL << 40},
};
constexpr std::array kBitUnits = {
    Unit{"bit", 1},
    Unit{"kbit", 1'000},
    Unit{"mbit", 1'000'000},
    Unit{"gbit", 1'000'000'000},
};

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

// Takes digits with at most one point from the front.
std::string_view take_number(std::string_view& text) {
  std::size_t size = 0;
  bool point = false;
  while (size < text.size() && (is_digit(text[size]) || (text[size] == '.' && !point)))
    point |= text[size++] == '.';
  const std::string_view number = text.substr(0, size);
  text.remove_prefix(size);
  return number;
}

// Exact for whole numbers, rounded for others; empty when it is no number or too large.
std::optional<std::uint64_t> multiply(std::string_view number, std::uint64_t factor) {
  if (number.empty() || !is_digit(number.front()) || !is_digit(number.back())) return {};
  const char* const end = number.data() + number.size();
  if (number.find('.') == std::string_view::npos) {
    std::uint64_t value = 0;
    const auto [at, ec] = std::from_chars(number.data(), end, value);
    std::uint64_t product = 0;
    if (ec != std::errc() || at != end || __builtin_mul_overflow(value, factor, &product)) return {};
    return product;
  }
  double value = 0;
  const auto [at, ec] = std::from_chars(number.data(), end, value);
  const double product = std::round(value * static_cast<double>(factor));
  if (ec != std::errc() || at != end || !(product < 9.2e18)) return {};
  return static_cast<std::uint64_t>(product);
}

template <std::size_t N>
std::optional<std::uint64_t> factor_of(std::string_view name, const std::array<Unit, N>& units) {
  std::string lower(name);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  for (const Unit& unit : units) {
    if (unit.name == lower) return unit.factor;
  }
  return {};
}

Error refused(std::string_view what, std::string_view text) {
  return Error(ErrorCode::kInvalidArgument, "'" + std::string(text) + "' is not " + std::string(what));
}

template <std::size_t N>
std::optional<std::uint64_t> number_with_unit(std::string_view text, const std::array<Unit, N>& units) {
  text = trim(text);
  const std::string_view number = take_number(text);
  const auto factor = factor_of(trim(text), units);
  return factor ? multiply(number, *factor) : std::nullopt;
}

}  // namespace

Result<Nanos> parse_duration(std::string_view text) {
  const Error error = refused("a duration like 250ms, 5s, 1h30m or 24h", text);
  std::string_view rest = trim(text);
  if (rest == "0") return Nanos{0};
  if (rest.empty()) return error;
  Nanos total = 0;
  while (!rest.empty()) {
    const std::string_view number = take_number(rest);
    rest = trim(rest);
    const auto unit_end =
        std::find_if(rest.begin(), rest.end(), [](char c) { return is_digit(c) || c == ' '; });
    const std::string_view name = rest.substr(0, static_cast<std::size_t>(unit_end - rest.begin()));
    rest = trim(rest.substr(name.size()));
    const auto unit =
        std::find_if(kTimeUnits.begin(), kTimeUnits.end(), [&](const Unit& u) { return u.name == name; });
    if (unit == kTimeUnits.end()) return error;
    const auto part = multiply(number, unit->factor);
    if (!part || __builtin_add_overflow(total, *part, &total)) return error;
  }
  return total;
}

Result<std::uint64_t> parse_byte_size(std::string_view text) {
  if (const auto bytes = number_with_unit(text, kByteUnits)) return *bytes;
  return refused("a byte size like 4096, 500k, 1 MB or 64MiB", text);
}

Result<std::uint64_t> parse_rate(std::string_view text) {
  const Error error = refused("a rate like 94Mbit/s or 12MB/s", text);
  std::string_view amount = trim(text);
  if (amount == "0") return std::uint64_t{0};
  if (!amount.ends_with("/s")) return error;
  amount = trim(amount.substr(0, amount.size() - 2));
  if (const auto bits = number_with_unit(amount, kBitUnits)) return *bits / 8;
  const auto bytes = number_with_unit(amount, kByteUnits);
  if (!bytes || is_digit(amount.back())) return error;
  return *bytes;
}

std::string show_duration(Nanos duration) {
  if (duration == 0) return "0s";
  std::string out = duration < 0 ? "-" : "";
  std::uint64_t rest =
      duration < 0 ? ~static_cast<std::uint64_t>(duration) + 1 : static_cast<std::uint64_t>(duration);
  for (const Unit& unit : kTimeUnits) {
    if (rest >= unit.factor) out += std::to_string(rest / unit.factor) + std::string(unit.name);
    rest %= unit.factor;
  }
  return out;
}

std::string show_byte_size(std::uint64_t bytes) {
  static constexpr std::array kNames = {" B", " KiB", " MiB", " GiB", " TiB"};
  std::size_t unit = 0;
  while (bytes != 0 && bytes % 1024 == 0 && unit + 1 < kNames.size()) {
    bytes /= 1024;
    ++unit;
  }
  return std::to_string(bytes) + kNames[unit];
}

}  // namespace tidegate
