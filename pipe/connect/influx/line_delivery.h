// SPDX-License-Identifier: Apache-2.0
// LineDelivery: gets lines into a server that may refuse some of them, and finds out which.
//
// Writes of line protocol may be repeated (series and time name the point), so whatever is in doubt is sent
// again. After a refusal the lines that the server names are taken out and the rest is sent again; where it
// names only a measurement and a field, the lines that hold it with that type go apart; where it says that it
// dropped as many as were sent, they are all refused; else both halves are sent. A line that is refused alone
// is refused for good. Order is kept, but for lines that were set apart. No sockets: what sends is given to
// it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "pipe/engine/connector.h"
#include "protocol/influx/http_errors.h"

namespace tidegate {

// Lines with their LF, one after another, and where each ends.
struct LineBody {
  struct Line {
    std::size_t end = 0;  // behind the LF
    Lsn lsn = 0;
  };
  std::string text;
  std::vector<Line> lines;

  std::string_view line(std::size_t index) const {  // with its LF
    const std::size_t begin = index == 0 ? 0 : lines[index - 1].end;
    return std::string_view(text).substr(begin, lines[index].end - begin);
  }
};

struct BodyLimits {
  std::size_t lines = 5000;
  std::size_t bytes = 2'500'000;
  bool operator==(const BodyLimits&) const = default;
};

class LineDelivery {
 public:
  // Sends the lines; the answer says what became of them. An error: the server was not reached.
  using Post = std::function<influx::TargetAnswer(std::string_view lines)>;

  // `limits` are lowered when the server finds a body too large, and stay so.
  LineDelivery(Post post, BodyLimits* limits) : post_(std::move(post)), limits_(*limits) {}

  // Nothing: every line is stored or in `dead`. Else the answer that ends the attempt (kRetry, kUnauthorized,
  // kNotFound).
  std::optional<influx::TargetAnswer> deliver(const LineBody& body, std::vector<DeadLetter>* dead,
                                              std::uint64_t* stored);
  // After a delivery that was ended: what is not stored and not refused yet becomes dead letters with this
  // reason. `body` and `dead` are those of the delivery.
  void give_up(const std::string& reason);

 private:
  using Lines = std::vector<std::uint32_t>;  // indices into the body, ascending

  Lines next_chunk(std::size_t from) const;
  std::string_view join(const Lines& lines);
  void refuse(const Lines& lines, const std::string& words);
  void set_aside(const Lines& lines, const std::string& reason);
  void split(const Lines& lines);
  void split_by(const Lines& lines, const std::vector<bool>& apart);
  void on_refusal(const Lines& lines, const influx::TargetAnswer& answer);
  bool take_named(const Lines& lines, const influx::TargetAnswer& answer);
  bool split_by_conflict(const Lines& lines, const influx::TargetAnswer& answer);

  Post post_;
  BodyLimits& limits_;
  const LineBody* body_ = nullptr;
  std::vector<DeadLetter>* dead_ = nullptr;
  std::vector<Lines> todo_;  // a stack
  std::size_t next_ = 0;     // the first line that was in no chunk yet
  std::string joined_;
};

}  // namespace tidegate
