"""What the media child opens, decodes and copies. All else is refused: every parser is attack surface."""

DEMUXERS = (
    *("mov", "matroska", "mpegts", "mpeg", "avi", "flv", "asf", "mxf"),
    *("ogg", "wav", "w64", "mp3", "flac", "aac", "ac3", "eac3", "aiff", "caf", "amr"),
)
"""FFmpeg's demuxer names. None of them opens a second file, unlike playlists and concat scripts."""

AUDIO_DECODERS = (
    *(
        "aac",
        "aac_latm",
        "mp3",
        "mp3float",
        "mp2",
        "mp2float",
        "ac3",
        "eac3",
        "dca",
        "truehd",
        "opus",
        "vorbis",
        "flac",
        "alac",
    ),
    *("wmav1", "wmav2", "wmapro", "amrnb", "amrwb", "adpcm_ms", "adpcm_ima_wav", "adpcm_ima_qt"),
    *("pcm_u8", "pcm_s8", "pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be", "pcm_s32le", "pcm_s32be"),
    *("pcm_f32le", "pcm_f32be", "pcm_f64le", "pcm_f64be", "pcm_alaw", "pcm_mulaw", "pcm_bluray", "pcm_dvd"),
)
"""FFmpeg's decoder names: the one that it prefers for each codec."""

VIDEO_DECODERS = ("h264", "hevc", "libdav1d", "vp9", "mpeg4", "mpeg2video", "mpeg1video", "mjpeg", "png")
"""Run on a few packets at most, to learn the size and the rotation of a picture; the last two for covers, too."""

COVER_CODECS = frozenset({"mjpeg", "png"})
"""Codecs of an attached picture that MP4 carries."""

MP4_VIDEO = frozenset({"h264", "hevc", "av1", "vp9", "mpeg4", "mpeg2video", "mpeg1video", "mjpeg"})
"""Codecs that are copied into MP4. Video is never re-encoded, so that sources with other codecs are refused."""

MP4_AUDIO = frozenset({"aac", "mp3", "mp2", "ac3", "eac3", "dts", "opus", "flac", "alac"})
"""Codecs that are copied into MP4; original tracks in others become AAC."""

MP4_SUBTITLES = frozenset({"mov_text"})
"""Codecs that are copied into MP4; subtitles in others are left out."""

AAC_RATES = (96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000)
"""Sampling rates in Hz that AAC can carry (ISO/IEC 14496-3, samplingFrequencyIndex)."""

AAC_LAYOUTS = frozenset({"mono", "stereo", "3.0", "4.0", "5.0", "5.1", "7.1"})
"""Channel layouts with a channelConfiguration of their own in AAC; others are mixed to stereo."""
