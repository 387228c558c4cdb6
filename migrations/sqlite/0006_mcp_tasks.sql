ALTER TABLE `tasks` ADD `progress_at` integer;--> statement-breakpoint
ALTER TABLE `tasks` ADD `mcp_task` integer DEFAULT false NOT NULL;--> statement-breakpoint
CREATE INDEX `tasks_of_mcp` ON `tasks` (`principal`,`id`) WHERE "mcp_task" = 1;