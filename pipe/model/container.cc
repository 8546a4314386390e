// SPDX-License-Identifier: Apache-2.0
#include "pipe/model/container.h"

#include <zstd.h>

#include <memory>
#include <string>

namespace tidegate {
namespace {

// The shortest canonical bytes there can be: version, kind, unit, flags and an empty source. It bounds the
// number of batches, and so the framing, that a given decoded size can have.
constexpr std::uint64_t kLeastBatch = 8;

struct FreeContext {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

ZSTD_CCtx* compression_context() {
  thread_local const std::unique_ptr<ZSTD_CCtx, FreeContext> context(ZSTD_createCCtx());
  return context.get();
}

ZSTD_DCtx* decompression_context() {
  thread_local const std::unique_ptr<ZSTD_DCtx, FreeContext> context(ZSTD_createDCtx());
  return context.get();
}

Result<std::uint32_t> sum_of_sizes(const std::vector<ByteView>& batches) {
  if (batches.empty()) return make_error(ErrorCode::kInvalidArgument, "a container holds at least one batch");
  std::uint64_t sum = 0;
  for (const ByteView batch : batches) {
    if (batch.size() < kLeastBatch) {
      return make_error(ErrorCode::kInvalidArgument, "a batch of " + std::to_string(batch.size()) +
                                                         " bytes: canonical bytes have at least " +
                                                         std::to_string(kLeastBatch));
    }
    sum += batch.size();
  }
  if (sum + 4 + 4 * batches.size() > UINT32_MAX) {
    return make_error(ErrorCode::kTooLarge,
                      std::to_string(sum) + " bytes in one container: put fewer batches into it");
  }
  return static_cast<std::uint32_t>(sum);
}

Bytes write_list(const std::vector<ByteView>& batches, std::uint32_t decoded_size) {
  Bytes out;
  out.reserve(4 + 4 * batches.size() + decoded_size);
  ByteWriter writer(out);
  writer.u32(static_cast<std::uint32_t>(batches.size()));
  for (const ByteView batch : batches) writer.bytes32(batch);
  return out;
}

Result<Bytes> compress(ByteView list, int level) {
  ZSTD_CCtx* context = compression_context();
  if (context == nullptr) return make_error(ErrorCode::kOutOfMemoryBudget, "no memory for a zstd context");
  ZSTD_CCtx_reset(context, ZSTD_reset_session_and_parameters);
  ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level);
  Bytes out(ZSTD_compressBound(list.size()));
  const std::size_t size = ZSTD_compress2(context, out.data(), out.size(), list.data(), list.size());
  if (ZSTD_isError(size)) {
    return make_error(ErrorCode::kInternal, std::string("zstd compression: ") + ZSTD_getErrorName(size));
  }
  out.resize(size);
  out.shrink_to_fit();  // it waits in queues, and the bound is the size before compression
  return out;
}

// What the zstd frame says it decodes to. Refuses, before anything is allocated, a frame that is not alone,
// does not say its size, or says one that no list of `decoded_size` bytes of batches can have.
Result<std::size_t> size_of_list(ByteView frame, std::uint32_t decoded_size) {
  const unsigned long long size = ZSTD_getFrameContentSize(frame.data(), frame.size());
  if (size == ZSTD_CONTENTSIZE_ERROR) return make_error(ErrorCode::kMalformed, "not a zstd frame");
  if (size == ZSTD_CONTENTSIZE_UNKNOWN) {
    return make_error(ErrorCode::kMalformed, "the zstd frame does not say its content size");
  }
  const std::uint64_t least = std::uint64_t{decoded_size} + 4 + 4;
  const std::uint64_t most = std::uint64_t{decoded_size} + 4 + 4 * (decoded_size / kLeastBatch);
  if (size < least || size > most) {
    return make_error(ErrorCode::kMalformed, "the zstd frame decodes to " + std::to_string(size) +
                                                 " bytes, which cannot hold batches of " +
                                                 std::to_string(decoded_size) + " bytes together");
  }
  const std::size_t used = ZSTD_findFrameCompressedSize(frame.data(), frame.size());
  if (ZSTD_isError(used)) {
    return make_error(ErrorCode::kMalformed, std::string("zstd frame: ") + ZSTD_getErrorName(used));
  }
  if (used != frame.size()) {
    return make_error(ErrorCode::kMalformed,
                      std::to_string(frame.size() - used) + " bytes after the only zstd frame");
  }
  return static_cast<std::size_t>(size);
}

Result<Bytes> decompress(ByteView frame, std::uint32_t decoded_size) {
  TG_TRY(const std::size_t size, size_of_list(frame, decoded_size));
  ZSTD_DCtx* context = decompression_context();
  if (context == nullptr) return make_error(ErrorCode::kOutOfMemoryBudget, "no memory for a zstd context");
  Bytes out(size);
  const std::size_t written =
      ZSTD_decompressDCtx(context, out.data(), out.size(), frame.data(), frame.size());
  if (ZSTD_isError(written)) {
    return make_error(ErrorCode::kMalformed, std::string("zstd frame: ") + ZSTD_getErrorName(written));
  }
  if (written != size)
    return make_error(ErrorCode::kMalformed, "the zstd frame ends before its content size");
  return out;
}

Result<std::vector<ByteView>> read_list(ByteView list, std::uint32_t decoded_size) {
  ByteReader reader(list);
  const std::uint32_t count = reader.count32(4 + kLeastBatch);
  std::vector<ByteView> batches;
  batches.reserve(count);
  std::uint64_t sum = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    const ByteView batch = reader.bytes32();
    if (!reader.ok() || batch.size() < kLeastBatch) break;
    sum += batch.size();
    batches.push_back(batch);
  }
  if (!reader.ok() || count == 0 || batches.size() != count || !reader.at_end() || sum != decoded_size) {
    return make_error(ErrorCode::kMalformed,
                      "a list of " + std::to_string(count) + " batches: " + std::to_string(batches.size()) +
                          " of them with " + std::to_string(sum) + " bytes could be read, " +
                          std::to_string(reader.remaining()) + " bytes are left, decoded size " +
                          std::to_string(decoded_size));
  }
  return batches;
}

}  // namespace

Result<Container> encode_container(Codec codec, const std::vector<ByteView>& batches, int level) {
  if (codec != Codec::kList && codec != Codec::kZstd) {
    return make_error(ErrorCode::kUnsupported, "codec " + std::to_string(static_cast<unsigned>(codec)));
  }
  TG_TRY(const std::uint32_t decoded_size, sum_of_sizes(batches));
  Container out{static_cast<std::uint8_t>(codec), decoded_size, write_list(batches, decoded_size)};
  if (codec == Codec::kZstd) {
    TG_TRY(out.bytes, compress(out.bytes, level));
  }
  return out;
}

Result<DecodedContainer> decode_container(std::uint8_t codec, std::uint32_t decoded_size, ByteView bytes,
                                          std::uint64_t limit) {
  if (decoded_size > limit) {
    return make_error(ErrorCode::kTooLarge, "a container of " + std::to_string(decoded_size) +
                                                " decoded bytes, the limit is " + std::to_string(limit));
  }
  DecodedContainer out;
  ByteView list = bytes;
  if (codec == static_cast<std::uint8_t>(Codec::kZstd)) {
    TG_TRY(out.storage, decompress(bytes, decoded_size));
    list = out.storage;
  } else if (codec != static_cast<std::uint8_t>(Codec::kList)) {
    return make_error(ErrorCode::kUnsupported,
                      "container codec " + std::to_string(codec) + ", known here: 0 and 1");
  }
  TG_TRY(out.batches, read_list(list, decoded_size));
  return out;
}

}  // namespace tidegate
