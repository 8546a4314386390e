// SPDX-License-Identifier: Apache-2.0
#include "pipe/process/rename_database.h"

#include "pipe/engine/row_output.h"
#include "pipe/model/path.h"
#include "pipe/process/processor_state.h"

namespace tidegate {
namespace {

constexpr const char* kName = "rename-database-processor";
constexpr std::size_t kLongestName = 64;  // as IoTDB limits it

// Where the node that begins at `at` ends: at the '.' behind it or at the end. The path is known to be sound.
std::size_t node_end(std::string_view path, std::size_t at) {
  bool quoted = false;
  for (; at < path.size(); ++at) {
    if (path[at] == '`') quoted = !quoted;  // a doubled one changes it twice
    if (path[at] == '.' && !quoted) break;
  }
  return at;
}

class RenameDatabase final : public Processor {
 public:
  explicit RenameDatabase(std::string new_name) : new_name_(std::move(new_name)) {}

  std::string describe() const override { return std::string(kName) + " to " + new_name_; }
  Status process(const BatchView& batch, std::vector<Batch>* out) override;
  Status restore(ByteView state) override { return expect_no_state(kName, state); }

 private:
  Status add(const RowView& row);
  Status choose_device(std::string_view device);
  Result<Batch> renamed_deletions(ByteView canonical) const;

  std::string new_name_;
  std::string device_, new_device_;  // of the row before
  RowOutput output_;
};

Status RenameDatabase::choose_device(std::string_view device) {
  if (device == device_ && !device_.empty()) return {};
  device_.clear();
  TG_TRY(std::vector<std::string> nodes, split_path(device));
  if (nodes.size() > 1) nodes[1] = new_name_;
  new_device_ = nodes.size() > 1 ? join_path(nodes) : std::string(device);
  device_ = device;
  return {};
}

Status RenameDatabase::add(const RowView& row) {
  RowView result = row;
  if (row.addressing == Addressing::kTable) {
    result.database = new_name_;
    return output_.add(result);
  }
  TG_CHECK(choose_device(row.device));
  result.device = new_device_;
  return output_.add(result);
}

Result<Batch> RenameDatabase::renamed_deletions(ByteView canonical) const {
  EventKind kind{};
  TG_TRY(const BatchHead head, read_head(canonical, &kind));
  TG_TRY(std::vector<Deletion> deletions, read_deletions(canonical));
  for (Deletion& deletion : deletions) {
    std::vector<std::string> patterns;
    for (const std::string& pattern : deletion.patterns) {
      TG_TRY(const std::vector<std::string> renamed, rename_pattern(pattern, new_name_));
      patterns.insert(patterns.end(), renamed.begin(), renamed.end());
    }
    deletion.patterns = std::move(patterns);
  }
  return make_batch(head, deletions);
}

Status RenameDatabase::process(const BatchView& batch, std::vector<Batch>* out) {
  if (batch.summary.kind == EventKind::kDeletion) {
    TG_TRY(Batch renamed, renamed_deletions(batch.canonical));
    out->push_back(std::move(renamed));
    return {};
  }
  if (batch.summary.kind != EventKind::kRows) return out->push_back(copy_of(batch)), Status{};
  TG_CHECK(output_.begin(batch.canonical, out));
  TG_CHECK(try_each_row(batch.canonical, [&](const RowView& row) { return add(row); }));
  output_.finish();
  return {};
}

}  // namespace

// Works on the text: nodes other than the second keep their quotes, which tell names from wildcards.
Result<std::vector<std::string>> rename_pattern(std::string_view pattern, std::string_view database) {
  TG_TRY(const std::vector<std::string> nodes, split_path(pattern));
  if (nodes.size() < 2 || nodes[0] != "root") return std::vector<std::string>{std::string(pattern)};
  const std::size_t begin = node_end(pattern, 0) + 1;
  const std::size_t end = node_end(pattern, begin);
  std::string renamed(pattern.substr(0, begin));
  append_node(&renamed, database);
  const std::string behind(pattern.substr(end));
  if (pattern.substr(begin, end - begin) != "**") return std::vector<std::string>{renamed + behind};
  std::vector<std::string> out;
  if (!behind.empty()) out.push_back(renamed + behind);
  out.push_back(renamed + ".**" + behind);
  return out;
}

Result<std::unique_ptr<Processor>> make_rename_database_processor(std::string new_name) {
  if (new_name.empty() || new_name.size() > kLongestName ||
      new_name.find_first_of(".`") != std::string::npos) {
    return make_error(ErrorCode::kInvalidArgument,
                      std::string(kName) + ": processor attribute 'new-db-name' is \"" + new_name +
                          "\": a database name has 1 to 64 bytes without '.' and '`'");
  }
  return std::unique_ptr<Processor>(std::make_unique<RenameDatabase>(std::move(new_name)));
}

}  // namespace tidegate
