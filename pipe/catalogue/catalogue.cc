// SPDX-License-Identifier: Apache-2.0
#include "pipe/catalogue/catalogue.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "pipe/catalogue/catalogue_json.h"

namespace tidegate {
namespace {

constexpr std::uint64_t kMaxCopy = 1 << 30;

}  // namespace

Catalogue::Catalogue(Env env, const std::string& dir, std::unique_ptr<CatalogueStore> store)
    : env_(env), copy_path_(dir + "/catalogue.json"), store_(std::move(store)) {}

Result<std::unique_ptr<Catalogue>> Catalogue::open(Env env, const std::string& dir) {
  TG_CHECK(env.files->make_dirs(dir));
  // Attributes hold passwords of targets, and neither SQLite's log nor the copy has a mode of its own.
  if (::chmod(dir.c_str(), 0700) != 0)
    return Error(ErrorCode::kIo, std::string("cannot set the mode to 0700: ") + std::strerror(errno))
        .at_path(dir);
  return open(env, dir, make_sqlite_store(dir + "/catalogue.db"));
}

Result<std::unique_ptr<Catalogue>> Catalogue::open(Env env, const std::string& dir,
                                                   std::unique_ptr<CatalogueStore> store) {
  TG_CHECK(env.files->make_dirs(dir));
  std::unique_ptr<Catalogue> out(new Catalogue(env, dir, std::move(store)));
  TG_CHECK(out->start());
  return out;
}

Status Catalogue::start() {
  if (!store_->exists()) return start_without_database();
  auto content = store_->load();
  auto copy = read_copy();
  if (content.ok()) {
    if (copy.ok()) copied_ = export_json(*copy);
    adopt(std::move(*content));
    return {};
  }
  if (content.error().code == ErrorCode::kUnsupported) return content.error();
  if (!copy.ok()) {
    Error error = std::move(content).error();
    error.detail += "; and its copy cannot take its place: " + copy.error().text();
    return error;
  }
  fall_back(std::move(*copy), content.error());
  return {};
}

// Nothing there and no copy either is a first start. With a copy somebody removed the database: what is in
// the copy must not be forgotten, and there is nothing that a new file could hide.
Status Catalogue::start_without_database() {
  auto copy = read_copy();
  if (!copy.ok() && copy.error().code != ErrorCode::kNotFound) {
    Error error = std::move(copy).error();
    error.detail +=
        "; the database is gone: put one of them back, or remove both to begin with no definition";
    return error;
  }
  const bool first = !copy.ok();
  TG_CHECK(store_->rebuild(first ? CatalogueSnapshot() : *copy, env_.clock->wall_micros()));
  TG_TRY(CatalogueSnapshot content, store_->load());
  if (!first) copied_ = export_json(*copy);
  adopt(std::move(content));
  if (!first)
    message_ = store_->path() + " was gone: it was made anew from its copy " + copy_path_ +
               (message_.empty() ? "" : "; " + message_);
  return {};
}

void Catalogue::fall_back(CatalogueSnapshot copy, const Error& reason) {
  source_ = Source::kCopy;
  snapshot_ = std::move(copy);
  copied_ = export_json(snapshot_);
  message_ = "the definitions come from the copy " + copy_path_ + ": " + reason.text();
}

Result<CatalogueSnapshot> Catalogue::read_copy() {
  if (!env_.files->exists(copy_path_))
    return Error(ErrorCode::kNotFound, "there is no copy of the catalogue").at_path(copy_path_);
  TG_TRY(const Bytes content, read_file(*env_.files, copy_path_, kMaxCopy));
  auto snapshot = import_json(as_text(content));
  if (!snapshot.ok()) return Error(snapshot.error()).at_path(copy_path_);
  return snapshot;
}

void Catalogue::adopt(CatalogueSnapshot content) {
  source_ = Source::kDatabase;
  message_.clear();
  snapshot_ = std::move(content);
  write_copy();
}

void Catalogue::write_copy() {
  std::string text = export_json(snapshot_);
  if (text == copied_) return;
  copied_.clear();
  if (const Status written = replace_file(*env_.files, copy_path_, as_bytes(text)); !written.ok()) {
    message_ =
        "the copy of the catalogue is behind, the next change writes it again: " + written.error().text();
    return;
  }
  copied_ = std::move(text);
}

Result<CatalogueSnapshot> Catalogue::load() {
  TG_TRY(CatalogueSnapshot content, store_->load());
  adopt(std::move(content));
  return snapshot_;
}

Status Catalogue::apply(std::span<const CatalogueChange> changes) {
  TG_TRY(CatalogueSnapshot content, store_->apply(changes));
  adopt(std::move(content));
  return {};
}

Status Catalogue::rebuild() {
  TG_CHECK(store_->rebuild(snapshot_, env_.clock->wall_micros()));
  TG_CHECK(load());
  return {};
}

}  // namespace tidegate
