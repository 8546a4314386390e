// SPDX-License-Identifier: Apache-2.0
#include "pipe/connect/influx/line_delivery.h"

#include <algorithm>

namespace tidegate {
namespace {

using influx::RefusedLine;
using influx::TargetAnswer;
using influx::Verdict;

// What a field type conflict names, as the servers word it:
//   input field "v" on measurement "m" is type integer, already exists as type float
struct Conflict {
  std::string_view field, measurement, type;
};

std::optional<std::string_view> between(std::string_view text, std::string_view before,
                                        std::string_view after, std::size_t* at) {
  const std::size_t begin = text.find(before, *at);
  if (begin == std::string_view::npos) return std::nullopt;
  const std::size_t from = begin + before.size();
  const std::size_t end = text.find(after, from);
  if (end == std::string_view::npos) return std::nullopt;
  *at = end;
  return text.substr(from, end - from);
}

std::optional<Conflict> conflict_of(std::string_view message) {
  std::size_t at = 0;
  const auto field = between(message, "input field \"", "\" on", &at);
  const auto measurement = between(message, "measurement \"", "\" is type", &at);
  const auto type = between(message, "is type ", ",", &at);
  if (!field || !measurement || !type) return std::nullopt;
  return Conflict{*field, *measurement, *type};
}

// The type of the value that begins here, in the words of the servers.
std::string_view type_at(std::string_view value) {
  const char first = value.empty() ? ' ' : value.front();
  if (first == '"') return "string";
  if (first == 't' || first == 'f' || first == 'T' || first == 'F') return "boolean";
  const std::size_t end = value.find_first_of(", \n");
  const char last = end == 0 || end == std::string_view::npos ? ' ' : value[end - 1];
  return last == 'i' ? "integer" : last == 'u' ? "unsigned" : "float";
}

// A guess by the text of our own line; a wrong one costs a request, never a point.
bool seems_to_hold(std::string_view line, const Conflict& conflict) {
  if (!line.starts_with(conflict.measurement)) return false;
  const char next = line.size() > conflict.measurement.size() ? line[conflict.measurement.size()] : ' ';
  if (next != ',' && next != ' ') return false;
  const std::string key = std::string(conflict.field) + "=";
  for (std::size_t at = line.find(key); at != std::string_view::npos; at = line.find(key, at + 1)) {
    const bool starts = at > 0 && (line[at - 1] == ' ' || line[at - 1] == ',');
    if (starts && type_at(line.substr(at + key.size())) == conflict.type) return true;
  }
  return false;
}

bool is_meant(std::string_view line, const RefusedLine& refused, std::size_t number) {
  if (line.ends_with('\n')) line.remove_suffix(1);
  if (refused.number.has_value() && *refused.number != number) return false;
  // A numbered line may have been cut by the server, one without a number is taken by its whole text only.
  return refused.number.has_value() ? line.starts_with(refused.text)
                                    : !refused.text.empty() && line == refused.text;
}

}  // namespace

LineDelivery::Lines LineDelivery::next_chunk(std::size_t from) const {
  Lines chunk;
  std::size_t bytes = 0;
  for (std::size_t i = from; i < body_->lines.size() && chunk.size() < limits_.lines; ++i) {
    bytes += body_->line(i).size();
    if (!chunk.empty() && bytes > limits_.bytes) break;
    chunk.push_back(static_cast<std::uint32_t>(i));
  }
  return chunk;
}

std::string_view LineDelivery::join(const Lines& lines) {
  const std::uint32_t first = lines.front(), last = lines.back();
  if (last - first + 1 == lines.size()) {
    const std::size_t begin = first == 0 ? 0 : body_->lines[first - 1].end;
    return std::string_view(body_->text).substr(begin, body_->lines[last].end - begin);
  }
  joined_.clear();
  for (const std::uint32_t index : lines) joined_ += body_->line(index);
  return joined_;
}

void LineDelivery::refuse(const Lines& lines, const std::string& words) {
  set_aside(lines, "the target refuses it: " + words);
}

void LineDelivery::set_aside(const Lines& lines, const std::string& reason) {
  for (const std::uint32_t index : lines) {
    std::string_view line = body_->line(index);
    line.remove_suffix(1);
    dead_->push_back({body_->lines[index].lsn, reason, std::string(line)});
  }
}

void LineDelivery::give_up(const std::string& reason) {
  for (; !todo_.empty(); todo_.pop_back()) set_aside(todo_.back(), reason);
  for (; next_ < body_->lines.size(); ++next_) set_aside({static_cast<std::uint32_t>(next_)}, reason);
}

void LineDelivery::split(const Lines& lines) {
  const auto middle = lines.begin() + static_cast<std::ptrdiff_t>(lines.size() / 2);
  todo_.emplace_back(middle, lines.end());
  todo_.emplace_back(lines.begin(), middle);
}

void LineDelivery::split_by(const Lines& lines, const std::vector<bool>& apart) {
  Lines in, out;
  for (std::size_t i = 0; i < lines.size(); ++i) (apart[i] ? out : in).push_back(lines[i]);
  todo_.push_back(std::move(out));
  todo_.push_back(std::move(in));
}

bool LineDelivery::take_named(const Lines& lines, const TargetAnswer& answer) {
  std::vector<bool> bad(lines.size(), false);
  Lines rest;
  for (const RefusedLine& refused : answer.lines) {
    for (std::size_t i = 0; i < lines.size(); ++i) {
      if (bad[i] || !is_meant(body_->line(lines[i]), refused, i + 1)) continue;
      bad[i] = true;
      refuse({lines[i]}, refused.reason.empty() ? answer.message : refused.reason);
    }
  }
  if (std::ranges::none_of(bad, [](bool b) { return b; })) return false;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (!bad[i]) rest.push_back(lines[i]);
  }
  if (!rest.empty()) todo_.push_back(std::move(rest));
  return true;
}

bool LineDelivery::split_by_conflict(const Lines& lines, const TargetAnswer& answer) {
  const auto conflict = conflict_of(answer.message);
  if (!conflict.has_value()) return false;
  std::vector<bool> suspect(lines.size());
  for (std::size_t i = 0; i < lines.size(); ++i) suspect[i] = seems_to_hold(body_->line(lines[i]), *conflict);
  const auto count = static_cast<std::size_t>(std::ranges::count(suspect, true));
  if (count == 0 || count == lines.size()) return false;
  split_by(lines, suspect);
  return true;
}

void LineDelivery::on_refusal(const Lines& lines, const TargetAnswer& answer) {
  if (lines.size() == 1 || (answer.dropped.has_value() && *answer.dropped == lines.size())) {
    return refuse(lines, answer.message);
  }
  if (take_named(lines, answer) || split_by_conflict(lines, answer)) return;
  split(lines);
}

std::optional<TargetAnswer> LineDelivery::deliver(const LineBody& body, std::vector<DeadLetter>* dead,
                                                  std::uint64_t* stored) {
  body_ = &body;
  dead_ = dead;
  todo_.clear();
  next_ = 0;
  while (next_ < body.lines.size() || !todo_.empty()) {
    if (todo_.empty()) {
      todo_.push_back(next_chunk(next_));
      next_ = todo_.back().back() + 1;
    }
    Lines lines = std::move(todo_.back());
    todo_.pop_back();
    const std::string_view text = join(lines);
    const TargetAnswer answer = post_(text);
    switch (answer.verdict) {
      case Verdict::kStored:
        *stored += lines.size();
        break;
      case Verdict::kSomeLines:
      case Verdict::kAllLines:
        on_refusal(lines, answer);
        break;
      case Verdict::kTooLarge:
        if (lines.size() == 1) {
          refuse(lines, answer.message);
          break;
        }
        limits_.bytes = std::max<std::size_t>(text.size() / 2, 1);
        split(lines);
        break;
      case Verdict::kRetry:
      case Verdict::kUnauthorized:
      case Verdict::kNotFound:
        todo_.push_back(std::move(lines));
        return answer;
    }
  }
  return std::nullopt;
}

}  // namespace tidegate
