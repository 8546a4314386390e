// SPDX-License-Identifier: Apache-2.0
#include "base/real_env.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace tidegate {
namespace {

ErrorCode code_of(int number) {
  switch (number) {
    case ENOSPC:
    case EDQUOT:
      return ErrorCode::kNoSpace;
    case ENOENT:
    case ENOTDIR:
      return ErrorCode::kNotFound;
    case EEXIST:
      return ErrorCode::kAlreadyExists;
    default:
      return ErrorCode::kIo;
  }
}

// Reads errno: call it before anything else can change it. What the sentence of the code says already is not
// said again in the words of the system.
Error os_error(const std::string& action, const std::string& path) {
  const int number = errno;
  std::string detail = "cannot " + action;
  if (number != ENOENT && number != EEXIST && number != ENOSPC)
    detail += ": " + std::generic_category().message(number);
  return Error(code_of(number), std::move(detail)).at_path(path);
}

// Calls again when a signal interrupts.
template <class Call>
auto retry(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& o) noexcept : fd_(std::exchange(o.fd_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  bool ok() const { return fd_ >= 0; }

 private:
  int fd_;
};

Descriptor open_descriptor(const std::string& path, int flags) {
  return Descriptor(retry([&] { return ::open(path.c_str(), flags | O_CLOEXEC, 0640); }));
}

class RealFile final : public File {
 public:
  RealFile(Descriptor fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  Status write_at(std::uint64_t offset, ByteView data) override {
    while (!data.empty()) {
      const ssize_t n =
          retry([&] { return ::pwrite(fd_.get(), data.data(), data.size(), static_cast<off_t>(offset)); });
      if (n < 0) return os_error("write at offset " + std::to_string(offset), path_);
      if (n == 0)
        return Error(ErrorCode::kIo, "a write at offset " + std::to_string(offset) + " wrote nothing")
            .at_path(path_);
      offset += static_cast<std::uint64_t>(n);
      data = data.subspan(static_cast<std::size_t>(n));
    }
    return {};
  }

  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::uint8_t> out) override {
    std::size_t done = 0;
    while (done < out.size()) {
      const ssize_t n = retry([&] {
        return ::pread(fd_.get(), out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
      });
      if (n < 0) return os_error("read at offset " + std::to_string(offset + done), path_);
      if (n == 0) break;
      done += static_cast<std::size_t>(n);
    }
    return done;
  }

  // Not called again after EINTR: whether a second call tells the truth about the first is not known.
  Status sync() override {
    if (::fdatasync(fd_.get()) != 0) return os_error("sync", path_);
    return {};
  }

  Status truncate(std::uint64_t size) override {
    if (retry([&] { return ::ftruncate(fd_.get(), static_cast<off_t>(size)); }) != 0) {
      return os_error("truncate to " + std::to_string(size) + " bytes", path_);
    }
    return {};
  }

  Result<std::uint64_t> size() override {
    struct stat info{};
    if (::fstat(fd_.get(), &info) != 0) return os_error("stat", path_);
    return static_cast<std::uint64_t>(info.st_size);
  }

 private:
  const Descriptor fd_;
  const std::string path_;
};

class RealLock final : public FileLock {
 public:
  explicit RealLock(Descriptor fd) : fd_(std::move(fd)) {}

 private:
  const Descriptor fd_;  // flock ends with the last descriptor of the open file
};

int flags_of(OpenMode mode) {
  switch (mode) {
    case OpenMode::kRead:
      return O_RDONLY;
    case OpenMode::kReadWrite:
      return O_RDWR;
    case OpenMode::kCreate:
      return O_RDWR | O_CREAT | O_EXCL;
    case OpenMode::kOpenOrCreate:
      return O_RDWR | O_CREAT;
  }
  return O_RDONLY;
}

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

bool is_dir(const std::string& path) {
  struct stat info{};
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

class RealFileSystem final : public FileSystem {
 public:
  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    Descriptor fd = open_descriptor(path, flags_of(mode));
    if (!fd.ok()) return os_error("open", path);
    if (is_folder(fd)) return Error(ErrorCode::kIo, "it is a folder").at_path(path);
    return std::unique_ptr<File>(std::make_unique<RealFile>(std::move(fd), path));
  }

  Status make_dirs(const std::string& path) override {
    if (path.empty() || is_dir(path)) return {};
    std::string clean = path;
    while (clean.size() > 1 && clean.back() == '/') clean.pop_back();
    const std::string parent = parent_of(clean);
    if (parent != "." && parent != "/") TG_CHECK(make_dirs(parent));
    if (::mkdir(clean.c_str(), 0750) != 0 && !(errno == EEXIST && is_dir(clean))) {
      return os_error("create the folder", path);
    }
    return sync_dir(parent);
  }

  Result<std::vector<std::string>> list(const std::string& path) override {
    DIR* const dir = ::opendir(path.c_str());
    if (dir == nullptr) return os_error("list", path);
    const std::unique_ptr<DIR, int (*)(DIR*)> closer(dir, ::closedir);
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* entry = ::readdir(dir)) {
      const std::string name = entry->d_name;
      if (name != "." && name != "..") names.push_back(name);
    }
    if (errno != 0) return os_error("list", path);
    std::sort(names.begin(), names.end());
    return names;
  }

  bool exists(const std::string& path) override { return ::access(path.c_str(), F_OK) == 0; }

  Status remove(const std::string& path) override {
    if (std::remove(path.c_str()) != 0) return os_error("remove", path);
    return {};
  }

  Status rename(const std::string& from, const std::string& to) override {
    if (std::rename(from.c_str(), to.c_str()) != 0) return os_error("rename " + from + " to it", to);
    return {};
  }

  Status hard_link(const std::string& from, const std::string& to) override {
    if (::link(from.c_str(), to.c_str()) != 0) return os_error("link " + from + " to it", to);
    return {};
  }

  Status sync_dir(const std::string& path) override {
    const Descriptor fd = open_descriptor(path, O_RDONLY | O_DIRECTORY);
    if (!fd.ok()) return os_error("open the folder", path);
    if (::fsync(fd.get()) != 0) return os_error("sync the folder", path);
    return {};
  }

  Result<SpaceInfo> space(const std::string& path) override {
    struct statvfs info{};
    if (::statvfs(path.c_str(), &info) != 0) return os_error("ask for the free space", path);
    return SpaceInfo{std::uint64_t{info.f_bavail} * info.f_frsize,
                     std::uint64_t{info.f_blocks} * info.f_frsize};
  }

  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override {
    Descriptor fd = open_descriptor(path, O_RDWR | O_CREAT);
    if (!fd.ok()) return os_error("open the lock", path);
    if (retry([&] { return ::flock(fd.get(), LOCK_EX | LOCK_NB); }) != 0) {
      if (errno != EWOULDBLOCK) return os_error("lock", path);
      return Error(ErrorCode::kLocked, "process " + holder(fd) + " is using this folder; stop it first")
          .at_path(path);
    }
    const std::string pid = std::to_string(::getpid()) + "\n";
    if (::ftruncate(fd.get(), 0) != 0 || ::pwrite(fd.get(), pid.data(), pid.size(), 0) < 0) {
      return os_error("write the process id", path);
    }
    return std::unique_ptr<FileLock>(std::make_unique<RealLock>(std::move(fd)));
  }

 private:
  static bool is_folder(const Descriptor& fd) {
    struct stat info{};
    return ::fstat(fd.get(), &info) == 0 && S_ISDIR(info.st_mode);
  }
  static std::string holder(const Descriptor& fd) {
    char text[16] = {};
    const ssize_t n = ::pread(fd.get(), text, sizeof(text) - 1, 0);
    std::string pid(text, n > 0 ? static_cast<std::size_t>(n) : 0);
    pid.resize(std::min(pid.find_first_not_of("0123456789"), pid.size()));
    return pid.empty() ? "(unknown)" : pid;
  }
};

class RealClock final : public Clock {
 public:
  Nanos now() override { return read(CLOCK_MONOTONIC); }
  std::int64_t wall_micros() override { return read(CLOCK_REALTIME) / kMicrosecond; }

 private:
  static Nanos read(clockid_t clock) {
    timespec t{};
    ::clock_gettime(clock, &t);
    return t.tv_sec * kSecond + t.tv_nsec;
  }
};

class RealRandom final : public Random {
 public:
  void fill(std::span<std::uint8_t> out) override {
    while (!out.empty()) {
      const ssize_t n = retry([&] { return ::getrandom(out.data(), out.size(), 0); });
      // Identities and nonces made of anything else would be worse than no program.
      if (n <= 0) throw std::runtime_error("the kernel gives no random numbers (getrandom failed)");
      out = out.subspan(static_cast<std::size_t>(n));
    }
  }
};

}  // namespace

Env& real_env() {
  static RealFileSystem files;
  static RealClock clock;
  static RealRandom random;
  static Env env{&files, &clock, &random};
  return env;
}

}  // namespace tidegate
