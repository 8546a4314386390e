// SPDX-License-Identifier: Apache-2.0
#include "pipe/connect/event_text.h"
#include "pipe/connect/file/formatter.h"

namespace tidegate {
namespace {

// The comments are those of `influx -import`: the file can be loaded as it is.
class LineFormatter final : public Formatter {
 public:
  explicit LineFormatter(const LineMappingOptions& options) : mapper_(options, text_) {}

  std::string_view extension() const override { return "lp"; }
  std::string_view header() const override { return "# DML\n"; }
  const std::string& context() const override { return database_; }
  void set_context(std::string context) override { database_ = std::move(context); }

  std::uint64_t append(const DeliverableBatch& batch, std::string& out,
                       std::vector<DeadLetter>* dead) override {
    text_.swap(out);
    const std::uint64_t written =
        batch.summary.kind == EventKind::kRows ? append_rows(batch, dead) : append_events(batch, dead);
    text_.swap(out);
    return written;
  }

 private:
  std::uint64_t append_rows(const DeliverableBatch& batch, std::vector<DeadLetter>* dead) {
    mapper_.next_batch(batch.summary.unit);
    tracker_.reset();
    std::uint64_t written = 0;
    std::size_t told = 0;
    const Status read = for_each_row(batch.canonical, [&](const RowView& row) {
      if (!tracker_.same_as_last(row)) name_database(row);
      written += mapper_.row(row, &refused_) ? 1 : 0;
      for (; told < refused_.size(); ++told) {
        dead->push_back(
            {batch.lsn, std::move(refused_[told].reason), std::move(refused_[told].line), database_of(row)});
      }
      return true;
    });
    refused_.clear();
    if (!read.ok()) dead->push_back({batch.lsn, read.error().text(), "0x" + to_hex(batch.canonical)});
    return written;
  }

  void name_database(const RowView& row) {
    std::string database = database_of(row);
    if (database == database_ || database.find_first_of("\r\n") != std::string::npos) return;
    database_ = std::move(database);
    text_ += "# CONTEXT-DATABASE: " + database_ + "\n";
  }

  std::uint64_t append_events(const DeliverableBatch& batch, std::vector<DeadLetter>* dead) {
    const auto events = events_as_json(batch);
    if (!events.ok()) {
      dead->push_back({batch.lsn, events.error().text(), "0x" + to_hex(batch.canonical)});
      return 0;
    }
    for (const std::string& event : *events) {
      text_ += "# tidegate ";
      text_ += kind_name(batch.summary.kind);
      text_ += ' ';
      text_ += event;
      text_ += '\n';
    }
    return events->size();
  }

  std::string text_;  // stands in for the caller's text while a batch is written
  LineMapper mapper_;
  SeriesTracker tracker_;
  std::string database_;
  std::vector<Refusal> refused_;
};

}  // namespace

std::unique_ptr<Formatter> make_line_formatter(const LineMappingOptions& options) {
  return std::make_unique<LineFormatter>(options);
}

}  // namespace tidegate
