"""goosebit on loopback, its data where GOOSEBIT_DB_URI says: goosebit_server.py PORT. Run with the Python that has it."""

import asyncio
import pathlib
import sys

import goosebit
import uvicorn
from aerich import Command
from goosebit.db.config import TORTOISE_CONF
from tortoise import Tortoise


async def make_tables():
    # The wheel brings the migrations, and not the file that aerich's own command line finds them by.
    migrations = pathlib.Path(goosebit.__file__).parent / "db" / "migrations"
    command = Command(tortoise_config=TORTOISE_CONF, app="models", location=str(migrations))
    await command.init()
    await command.upgrade(run_in_transaction=True)
    await Tortoise.close_connections()


asyncio.run(make_tables())
uvicorn.run(goosebit.app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
