from hashlib import blake2b

from actors.contracts.audio import Clip
from cluster.blobs.contract import BlobStore
from dataflow import artefacts, flac
from dataflow.context import JobView
from dataflow.records import Scene


def store_clip(blobs: BlobStore, view: JobView, clip: Clip) -> tuple[str, str]:
    """Keep the audio of a scene; gives its blob's key and the digest that everything found in it depends on."""
    data = flac.encode(clip.samples, clip.rate)
    digest = blake2b(data, digest_size=16).hexdigest()
    key = artefacts.scene_audio(view, digest)
    if not blobs.exists(key):
        blobs.put_bytes(key, data)
    return key, digest


def load_clip(blobs: BlobStore, scene: Scene) -> Clip:
    """The audio of a scene, on the source's clock."""
    samples, rate = flac.decode(blobs.get_bytes(scene.audio_key))
    return Clip(samples, rate, scene.span.start)
