// SPDX-License-Identifier: Apache-2.0
#include "pipe/catalogue/catalogue_json.h"
#include "pipe/catalogue/catalogue_store.h"

namespace tidegate {
namespace {

constexpr std::uint64_t kMaxFile = 1 << 30;

class FileStore final : public CatalogueStore {
 public:
  FileStore(FileSystem& files, std::string path) : files_(files), path_(std::move(path)) {}

  std::string path() const override { return path_; }
  bool exists() override { return files_.exists(path_); }

  Result<CatalogueSnapshot> load() override {
    if (!exists()) return Error(ErrorCode::kNotFound, "there is no catalogue").at_path(path_);
    TG_TRY(const Bytes content, read_file(files_, path_, kMaxFile));
    auto snapshot = import_json(as_text(content));
    if (!snapshot.ok()) return Error(snapshot.error()).at_path(path_);
    return snapshot;
  }

  Result<CatalogueSnapshot> apply(std::span<const CatalogueChange> changes) override {
    TG_TRY(CatalogueSnapshot snapshot, load());
    TG_CHECK(apply_changes(snapshot, changes));
    TG_CHECK(replace_file(files_, path_, as_bytes(export_json(snapshot))));
    return snapshot;
  }

  Status rebuild(const CatalogueSnapshot& content, std::int64_t now_micros) override {
    TG_CHECK(check_rebuildable());
    if (exists()) TG_CHECK(files_.rename(path_, path_ + ".damaged-" + std::to_string(now_micros)));
    return replace_file(files_, path_, as_bytes(export_json(content)));
  }

 private:
  FileSystem& files_;
  const std::string path_;
};

}  // namespace

std::unique_ptr<CatalogueStore> make_file_store(FileSystem& files, std::string path) {
  return std::make_unique<FileStore>(files, std::move(path));
}

}  // namespace tidegate
