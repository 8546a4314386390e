// SPDX-License-Identifier: Apache-2.0
#include "pipe/engine/plugin/plugin_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "base/real_env.h"

namespace tidegate {
namespace {

using tgplugin::Descriptor;

constexpr std::string_view kSuffix = ".so";
constexpr off_t kMostFileBytes = 1 << 30;

Error wrong(const std::string& path, std::string detail) {
  return make_error(ErrorCode::kInvalidArgument, std::move(detail)).at_path(path);
}

Error cannot_open(const std::string& path, int number) {
  if (number == ENOENT) return make_error(ErrorCode::kNotFound, "there is no such plugin").at_path(path);
  if (number == ELOOP)
    return wrong(path, "it is a link: a plugin must be a file of its own in the directory");
  return make_error(ErrorCode::kIo, std::strerror(number)).at_path(path);
}

Status check_owner(const std::string& path, const struct stat& facts) {
  if (facts.st_uid != 0 && facts.st_uid != ::geteuid()) {
    return wrong(path, "it belongs to user " + std::to_string(facts.st_uid) +
                           ": only root's and the daemon's own files are loaded (chown root)");
  }
  if ((facts.st_mode & (S_IWGRP | S_IWOTH)) == 0) return {};
  return wrong(path, "others may write to it: chmod go-w");
}

Result<Descriptor> open_checked(const std::string& path, bool directory) {
  Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | (directory ? 0 : O_NOFOLLOW)));
  if (!fd) return cannot_open(path, errno);
  struct stat facts{};
  if (::fstat(fd.get(), &facts) != 0) return cannot_open(path, errno);
  if (directory && !S_ISDIR(facts.st_mode)) return wrong(path, "it is no directory");
  if (!directory && !S_ISREG(facts.st_mode)) return wrong(path, "it is no regular file");
  TG_CHECK(check_owner(path, facts));
  if (facts.st_size > kMostFileBytes) return wrong(path, "it is larger than 1 GiB");
  return fd;
}

Result<std::string> hash_of(const std::string& path, const Descriptor& fd) {
  Bytes content;
  struct stat facts{};
  if (::fstat(fd.get(), &facts) != 0) return cannot_open(path, errno);
  content.resize(static_cast<std::size_t>(facts.st_size));
  std::size_t have = 0;
  while (have < content.size()) {
    const ssize_t got =
        ::pread(fd.get(), content.data() + have, content.size() - have, static_cast<off_t>(have));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return cannot_open(path, errno);
    if (got == 0) return wrong(path, "it became shorter while it was read");
    have += static_cast<std::size_t>(got);
  }
  return to_hex(sha256(content));
}

std::string_view without_scheme(std::string_view name) {
  if (name.starts_with("file://")) name.remove_prefix(7);
  return name;
}

std::string without_slash(std::string directory) {
  while (directory.size() > 1 && directory.back() == '/') directory.pop_back();
  return directory;
}

}  // namespace

Result<std::vector<std::string>> list_plugin_files(const std::string& directory) {
  if (!real_env().files->exists(directory)) {
    return make_error(ErrorCode::kNotFound, "the directory of the plugins (pipe_lib_dir) does not exist")
        .at_path(directory);
  }
  TG_TRY(std::vector<std::string> names, real_env().files->list(directory));
  std::erase_if(names, [](const std::string& name) { return !name.ends_with(kSuffix) || name[0] == '.'; });
  return names;
}

Result<PluginFile> find_plugin_file(const std::string& directory, std::string_view name) {
  const std::string folder = without_slash(directory);
  std::string_view file = without_scheme(name);
  if (file.starts_with(folder + "/")) file.remove_prefix(folder.size() + 1);
  if (file.empty() || file.front() == '.' || file.find('/') != std::string_view::npos ||
      file.find('\0') != std::string_view::npos || !file.ends_with(kSuffix)) {
    return wrong(std::string(name),
                 "a plugin is named as a file *.so directly in " + folder + " (pipe_lib_dir)");
  }
  const std::string path = folder + "/" + std::string(file);
  TG_TRY(const Descriptor fd, tgplugin::open_plugin_file(path, {}));
  TG_TRY(std::string hash, hash_of(path, fd));
  return PluginFile{path, std::move(hash)};
}

namespace tgplugin {

Result<Descriptor> open_plugin_file(const std::string& path, std::string_view sha256) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return wrong(path, "the path of a plugin must be an absolute one");
  TG_CHECK(open_checked(slash == 0 ? "/" : path.substr(0, slash), true));
  TG_TRY(Descriptor file, open_checked(path, false));
  if (sha256.empty()) return file;
  TG_TRY(const std::string now, hash_of(path, file));
  if (now == sha256) return file;
  return make_error(ErrorCode::kIdentity, "the plugin is not the file that was registered (SHA-256 now " +
                                              now + ", then " + std::string(sha256) +
                                              "): put the old file back, or drop and create the plugin")
      .at_path(path);
}

}  // namespace tgplugin
}  // namespace tidegate
