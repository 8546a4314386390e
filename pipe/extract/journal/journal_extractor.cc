// SPDX-License-Identifier: Apache-2.0
#include "pipe/extract/journal/journal_extractor.h"

#include <algorithm>
#include <array>

#include "pipe/engine/row_output.h"
#include "pipe/extract/journal/path_prefix.h"
#include "pipe/model/path.h"

namespace tidegate {
namespace {

constexpr PluginKind kKind = PluginKind::kExtractor;
constexpr std::array<std::int64_t, 4> kPerSecond = {1, 1'000, 1'000'000, 1'000'000'000};

AttributeSpec spec(std::string name, AttributeType type, std::string default_value, std::string description) {
  AttributeSpec out;
  out.name = std::move(name);
  out.type = type;
  out.default_value = std::move(default_value);
  out.description = std::move(description);
  return out;
}

AttributeSpec choice(AttributeSpec out, std::vector<std::string> choices) {
  out.type = AttributeType::kChoice;
  out.choices = std::move(choices);
  return out;
}

PluginInfo make_plugin() {
  using enum AttributeType;
  PluginInfo info;
  info.kind = kKind;
  info.name = "iotdb-extractor";
  info.aliases = {"iotdb-source", "journal-extractor", "journal-source"};
  info.class_name = "tidegate.extract.JournalExtractor";
  info.attributes = {
      spec("pattern", kText, "root", "prefix of the paths that are taken"),
      spec("history.enable", kBool, "true", "what is in the journal when the pipe is created"),
      spec("history.start-time", kTime, "-9223372036854775808", "event time from which on history is taken"),
      spec("history.end-time", kTime, "9223372036854775807", "event time up to which history is taken"),
      spec("realtime.enable", kBool, "true", "what comes after the pipe is created"),
      choice(spec("realtime.mode", kText, "hybrid", "when realtime data is shipped"),
             {"hybrid", "log", "file"}),
      spec("forwarding-pipe-requests", kBool, "true", "data that first came by a pipe protocol"),
      spec("deletions", kBool, "true", "deletions of data"),
      choice(spec("retention.hold", kText, "essential",
                  "essential: the journal keeps what this pipe has not delivered; best-effort: within its "
                  "budget"),
             {"essential", "best-effort"}),
      spec("retention.max-bytes", kBytes, "0", "budget of a best-effort pipe in the journal; 0: no limit"),
      spec("retention.max-age", kDuration, "0", "how old what it holds may be; 0: no limit"),
  };
  return info;
}

// Both ends inclusive, in each of the units.
struct TimeRange {
  std::array<std::int64_t, 4> from, to;
  bool all = true;
  bool holds(TimeUnit unit, std::int64_t time) const {
    const auto i = static_cast<std::size_t>(unit);
    return from[i] <= time && time <= to[i];
  }
};

// In a unit in which the time cannot be said it lies beyond everything that can.
Status read_bound(const Attributes& from, const std::string& name, const TimeZone& zone,
                  std::array<std::int64_t, 4>* bound) {
  const std::string text = read_text(from, name);
  if (text.empty()) return {};
  for (std::size_t unit = 0; unit < kPerSecond.size(); ++unit) {
    const auto time = parse_event_time(text, zone, kPerSecond[unit]);
    if (time.ok()) {
      (*bound)[unit] = *time;
    } else if (time.error().code == ErrorCode::kUnrepresentable) {
      TG_TRY(const std::int64_t seconds, parse_event_time(text, zone, 1));
      (*bound)[unit] = seconds < 0 ? INT64_MIN : INT64_MAX;
    } else {
      return make_error(ErrorCode::kInvalidArgument,
                        shown_attribute(kKind, name) + ": " + time.error().detail);
    }
  }
  return {};
}

Result<TimeRange> read_range(const Attributes& from, const TimeZone& zone) {
  TimeRange out;
  out.from.fill(INT64_MIN);
  out.to.fill(INT64_MAX);
  TG_CHECK(read_bound(from, "history.start-time", zone, &out.from));
  TG_CHECK(read_bound(from, "history.end-time", zone, &out.to));
  const auto is_least = [](std::int64_t t) { return t == INT64_MIN; };
  const auto is_most = [](std::int64_t t) { return t == INT64_MAX; };
  out.all = std::ranges::all_of(out.from, is_least) && std::ranges::all_of(out.to, is_most);
  if (out.from[0] > out.to[0])
    return make_error(ErrorCode::kInvalidArgument,
                      shown_attribute(kKind, "history.start-time") + " lies behind " +
                          shown_attribute(kKind, "history.end-time") + ": nothing would be taken");
  return out;
}

class JournalSelector final : public Selector {
 public:
  JournalSelector(PathPrefix prefix, TimeRange history, Lsn boundary, bool forwarding, bool deletions)
      : prefix_(std::move(prefix)),
        history_(history),
        boundary_(boundary),
        forwarding_(forwarding),
        deletions_(deletions) {}

  std::string describe() const override { return "iotdb-extractor, pattern " + prefix_.text(); }
  bool passes_all() const override {
    return prefix_.takes_all() && (history_.all || boundary_ == 0) && forwarding_ && deletions_;
  }
  Status select(Lsn lsn, const BatchView& batch, std::vector<Batch>* out) override;

 private:
  Status select_rows(const BatchView& batch, bool by_time, std::vector<Batch>* out);
  Status select_deletions(const BatchView& batch, std::vector<Batch>* out);
  bool take_fields(const RowView& row);

  PathPrefix prefix_;
  TimeRange history_;
  Lsn boundary_;
  bool forwarding_, deletions_;
  RowOutput output_;
  std::string path_;
  std::vector<FieldView> fields_;
};

Status JournalSelector::select(Lsn lsn, const BatchView& batch, std::vector<Batch>* out) {
  const bool data = batch.summary.kind != EventKind::kGap && batch.summary.kind != EventKind::kFork &&
                    batch.summary.kind != EventKind::kStatistics;
  if (data && !forwarding_ && (batch.summary.flags & kFlagByPipeProtocol) != 0) return {};
  const bool by_time = lsn <= boundary_ && !history_.all;
  if (batch.summary.kind == EventKind::kDeletion) return select_deletions(batch, out);
  if (batch.summary.kind == EventKind::kRows && (by_time || !prefix_.takes_all()))
    return select_rows(batch, by_time, out);
  out->push_back(copy_of(batch));
  return {};
}

// Fields of the row whose path is taken into fields_; false: there are none.
bool JournalSelector::take_fields(const RowView& row) {
  path_.clear();
  append_device_path(&path_, row);
  const std::size_t device = path_.size();
  fields_.clear();
  for (const FieldView& field : row.fields) {
    path_.resize(device);
    path_ += '.';
    append_node(&path_, field.name);
    if (prefix_.takes(path_)) fields_.push_back(field);
  }
  return !fields_.empty();
}

Status JournalSelector::select_rows(const BatchView& batch, bool by_time, std::vector<Batch>* out) {
  TG_CHECK(output_.begin(batch.canonical, out));
  const bool all_paths = prefix_.takes_all();
  TG_CHECK(try_each_row(batch.canonical, [&](const RowView& row) {
    if (by_time && !history_.holds(batch.summary.unit, row.time)) return Status();
    if (all_paths) return output_.add(row);
    if (!take_fields(row)) return Status();
    RowView taken = row;
    taken.fields = fields_;
    return output_.add(taken);
  }));
  output_.finish();
  return {};
}

// The fixed nodes in front of the first wildcard decide. A pattern that reaches beyond the prefix is narrowed
// to it where the prefix ends at a node; else it is left out: deleting too little can be mended.
Status JournalSelector::select_deletions(const BatchView& batch, std::vector<Batch>* out) {
  if (!deletions_) return {};
  if (prefix_.takes_all()) return out->push_back(copy_of(batch)), Status();
  EventKind kind{};
  TG_TRY(const BatchHead head, read_head(batch.canonical, &kind));
  TG_TRY(std::vector<Deletion> deletions, read_deletions(batch.canonical));
  std::vector<Deletion> taken;
  for (Deletion& deletion : deletions) {
    std::vector<std::string> patterns;
    for (std::string& pattern : deletion.patterns) {
      const std::string fixed = pattern.substr(0, pattern.find('*'));
      const std::string_view node =
          std::string_view(fixed).substr(0, fixed.ends_with('.') ? fixed.size() - 1 : fixed.size());
      if (prefix_.takes(fixed) || prefix_.takes(node)) {
        patterns.push_back(std::move(pattern));
      } else if (pattern.ends_with("**") && prefix_.takes_some_below(node)) {
        std::string below = prefix_.text();
        if (below.ends_with('.')) below.pop_back();
        patterns.push_back(below + ".**");
      }
    }
    if (patterns.empty()) continue;
    deletion.patterns = std::move(patterns);
    taken.push_back(std::move(deletion));
  }
  if (!taken.empty()) out->push_back(make_batch(head, taken));
  return {};
}

}  // namespace

const PluginInfo& journal_extractor_plugin() {
  static const PluginInfo info = make_plugin();
  return info;
}

Result<ExtractPlan> make_extract_plan(const Attributes& given, Lsn boundary, const TimeZone& zone) {
  TG_CHECK(check_attributes(given, journal_extractor_plugin()));
  TG_TRY(const Attributes attributes, with_own_names(given, journal_extractor_plugin()));
  ExtractPlan plan;
  TG_TRY(plan.history, read_bool(attributes, kKind, "history.enable", true));
  TG_TRY(plan.realtime, read_bool(attributes, kKind, "realtime.enable", true));
  if (!plan.history && !plan.realtime)
    return make_error(ErrorCode::kInvalidArgument, shown_attribute(kKind, "history.enable") + " and " +
                                                       shown_attribute(kKind, "realtime.enable") +
                                                       " are both false: nothing would be taken");
  std::string mode = read_text(attributes, "realtime.mode", "hybrid");
  std::ranges::transform(mode, mode.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; });
  plan.mode = mode == "log"    ? RealtimeMode::kLog
              : mode == "file" ? RealtimeMode::kFile
                               : RealtimeMode::kHybrid;
  TG_TRY(PathPrefix prefix, PathPrefix::parse(read_text(attributes, "pattern", "root")));
  TG_TRY(const TimeRange range, read_range(attributes, zone));
  TG_TRY(const bool forwarding, read_bool(attributes, kKind, "forwarding-pipe-requests", true));
  TG_TRY(const bool deletions, read_bool(attributes, kKind, "deletions", true));
  plan.selector = std::make_unique<JournalSelector>(std::move(prefix), range, plan.history ? boundary : 0,
                                                    forwarding, deletions);
  return plan;
}

}  // namespace tidegate
