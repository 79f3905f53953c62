from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Literal

from platformdirs import user_data_path
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, SecretStr
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)


class Profile(StrEnum):
    """Named choices of engines; `auto` is the best one whose models are at hand."""

    AUTO = "auto"
    LITE = "lite"
    CPU = "cpu"
    GPU = "gpu"


class Settings(BaseSettings):
    """Every setting; from `DUBFLOW_*` environment variables, then `.env`, then `dubflow.toml`."""

    model_config = SettingsConfigDict(
        env_prefix="DUBFLOW_",
        env_file=".env",
        toml_file="dubflow.toml",
        extra="ignore",
        frozen=True,
        use_attribute_docstrings=True,
    )

    home: Path = Field(default_factory=lambda: user_data_path("dubflow"))
    """Folder of the default database, blob store and scratch space."""

    database_url: str = ""
    """SQLAlchemy URL; empty: an SQLite file in `home`. More than one node needs `postgresql+psycopg://...`."""

    blob_url: str = ""
    """Where artefacts live: `file:///folder` or `s3://bucket/prefix`; empty: a folder in `home`."""

    s3_endpoint_url: str = ""
    """For S3-compatible servers; credentials and region come from `AWS_*` as boto3 reads them."""

    scratch: Path | None = None
    """Node-local folder for files in work; empty: a folder in `home`."""

    profile: Profile = Profile.AUTO
    """Which choice of engines to use."""

    engines: dict[str, str] = {}
    """Another engine than the profile's, by capability: `{"speech": "espeak"}`.

    Of speech there may be several, the preferred one first: of each language the first speaks that can.
    """

    engine_parameters: dict[str, dict[str, str]] = {}
    """What engines let people choose, by engine: `{"transcription.whisper": {"beam": "5"}}` (docs/models.md)."""

    models: Path | None = None
    """Folder of the weights that were fetched; empty: a folder in `home`."""

    model_sources: dict[str, str] = {}
    """Where weights come from instead, by the model's name: a repository, `s3://bucket/prefix`, or a folder."""

    engine_loads: Path | None = None
    """What engines need on this hardware, as benchmarks measured it (JSON); empty: published estimates."""

    gpus: str = ""
    """GPUs of this flow's nodes, as `8xH200`: its pools are placed on them. Empty: processors only."""

    fetch_models: bool = False
    """Fetch weights that are missing when an engine is loaded, once a node; otherwise `dubflow models fetch` does."""

    allow_noncommercial: bool = False
    """Nobody dubs for money here: weights whose licence forbids commercial use may be used."""

    ray_address: str = ""
    """A running Ray cluster; empty: one is started on this machine and ended with the command."""

    dashboard: bool = False
    """Start the Ray dashboard beside a cluster that the command itself starts."""

    replicas: PositiveInt = 2
    """Processes that answer HTTP requests: with two, one may die and the service still answers."""

    max_upload_bytes: PositiveInt = 200 * 1024**2
    """Larger files are refused by `POST /upload`; they come in parts, through `POST /uploads`."""

    max_target_languages: PositiveInt = 50
    """A job over HTTP may have so many."""

    max_source_bytes: PositiveInt = 64 * 1024**3
    """Larger sources are refused."""

    max_source_seconds: PositiveFloat = 12 * 3600.0
    """Longer sources are refused, measured while decoding; headers are not believed."""

    max_pixels: PositiveInt = 8192 * 8192
    """Larger pictures are refused."""

    max_streams: PositiveInt = 64
    """Sources with more streams are refused."""

    media_memory_bytes: PositiveInt = 2 * 1024**3
    """Address space that a media child process may use."""

    media_stall_seconds: PositiveFloat = 60.0
    """A media child process that neither reads nor delivers for so long is ended."""

    max_scene_seconds: PositiveFloat = 120.0
    """Scenes are cut at a silence before this; speech without any is cut hard."""

    lease_seconds: PositiveFloat = 60.0
    """How long a job stays with an owner that has stopped beating."""

    heartbeat_seconds: PositiveFloat = 10.0
    """How often an owner renews its leases."""

    stall_seconds: PositiveFloat = 900.0
    """A job of which no part begins or ends for so long is taken back and tried again."""

    max_job_attempts: PositiveInt = 3
    """A job that is lost so often is put with the dead letters."""

    jobs_in_flight: PositiveInt = 8
    """Jobs that one flow holds at a time; more only queue up inside it, where priorities no longer reach them."""

    service_url: str = ""
    """The service that `submit`, `watch` and the like talk to; empty: `http://127.0.0.1:8000`. Where it is set, `jobs`,
    `status` and `retry` ask the service too, instead of the database."""

    api_key: SecretStr = SecretStr("")
    """The key that a service is asked with."""

    webhook_allow_private: bool = False
    """Webhooks may go to private and loopback addresses, and over plain http: for development, or where every tenant is
    trusted with the network of the service."""

    retention_days: PositiveFloat = 30.0
    """Jobs of the service are removed with all their files so long after their last change."""

    voice_retention_days: PositiveFloat = 730.0
    """A person of a series whom no source has had for so long is forgotten, with voiceprint, sound and consents."""

    upload_retention_hours: PositiveFloat = 48.0
    """How long an upload is waited for, and how long a complete one waits for a job; then it is removed."""

    requests_per_minute: NonNegativeInt = 600
    """Of one API key, over all replicas; 0 for no limit. A tenant may have other limits than the settings'."""

    concurrent_jobs: NonNegativeInt = 1000
    """Jobs of one tenant that wait or run; 0 for no limit."""

    media_minutes_per_day: NonNegativeFloat = 0.0
    """Minutes of sources of one tenant in one day (UTC), measured while decoding; 0 for no limit."""

    failed_logins_per_minute: PositiveInt = 20
    """Wrong keys from one address before it is told to wait."""

    session_days: PositiveFloat = 7.0
    """How long a browser stays logged in; never longer than its key is good for."""

    allowed_origins: tuple[str, ...] = ()
    """Other origins, as `https://app.example.org`, whose pages may use a browser's session."""

    max_watchers_per_key: PositiveInt = 1000
    """WebSockets and event streams that one API key may hold open at one replica."""

    interactive_reserve: PositiveInt = 4
    """Jobs that a flow takes beyond those where they are interactive: bulk jobs in flight do not keep them waiting."""

    cell: str = "main"
    """Name of this cluster's flow; clusters that share a database give each its own."""

    flow_hours: PositiveFloat = 24.0
    """A flow of the service is replaced at an idle moment after so long, after twice that at any moment."""

    flow_memory_bytes: PositiveInt = 2 * 1024**3
    """The same once the memory of its driver has grown by so much, or twice that."""

    drain_seconds: PositiveFloat = 300.0
    """How long parts in hand may take when a flow is to end."""

    log_level: Literal["debug", "info", "warning", "error"] = "warning"
    """What is written to the log on stderr."""

    log_format: Literal["json", "text"] = "text"
    """One JSON object a line for machines, or lines for people."""

    @cached_property
    def database(self) -> str:
        """The database URL with the default filled in."""
        return self.database_url or f"sqlite:///{self.home.resolve() / 'ledger.sqlite'}"

    @cached_property
    def service(self) -> str:
        """The service's URL with the default filled in, without a slash at its end."""
        return (self.service_url or "http://127.0.0.1:8000").rstrip("/")

    @cached_property
    def blobs(self) -> str:
        """The blob store's URL with the default filled in."""
        return self.blob_url or (self.home.resolve() / "blobs").as_uri()

    @cached_property
    def models_folder(self) -> Path:
        """The folder of weights with the default filled in."""
        return (self.models or self.home / "models").resolve()

    @cached_property
    def scratch_folder(self) -> Path:
        """The node-local work folder with the default filled in."""
        return (self.scratch or self.home / "scratch").resolve()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Add `dubflow.toml` behind the environment."""
        toml = TomlConfigSettingsSource(settings_cls)
        return init_settings, env_settings, dotenv_settings, file_secret_settings, toml
